// A process that has two hosts and a LUN, says so, and waits to be killed.

import { HostPair } from "../../scripts/demonstration/two_hosts/host_pair.ts";
import { SharedLun } from "../../scripts/demonstration/two_hosts/shared_lun.ts";

const pair = await HostPair.make();
const lun = await SharedLun.make(1024 * 1024);
const pids = (["server", "client"] as const).map((host) =>
  /\/proc\/(\d+)\//.exec(pair.enter(host).join(" "))?.[1]
);
process.stdout.write(`ready ${lun.path} ${pids.join(",")}\n`);
process.stdin.resume();
setInterval(() => {}, 60_000);
