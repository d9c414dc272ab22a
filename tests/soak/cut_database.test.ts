// A database of some gigabytes is backed up through an emulated array by two hosts whose network is
// cut as soon as the data moves, and stays cut to the end of the job; the restore is the same.
// Takes minutes and the database's size in the vault: `scripts/soak cut` runs it, the gate has a
// small one (tests/integration/two_hosts.test.ts). CUT_BYTES is its size.

import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { JobRequest, JobView } from "../../agent/control/daemon.ts";
import { formatBedGroup } from "../integration/bed_storage.ts";
import { callControl } from "../integration/control_call.ts";
import { pause, until } from "../integration/deadline.ts";
import { canHaveTwoHosts, titleOf, TwoHosts } from "../integration/two_hosts_bed.ts";

const TIMEOUT_MS = 3_600_000;
const BYTES = Number(process.env["CUT_BYTES"] ?? 5 * 1024 ** 3);

/** Milliseconds between two looks: who looks all the time disturbs. */
const LOOK_MS = 1000;

/** A set-up may send this much over the network. */
const SETUP_BYTES = 16 * 1024;

/** Writes the database: bytes that do not compress, the same each time. */
const KEY = "00112233445566778899aabbccddeeff";
const MAKE = `head -c ${BYTES} /dev/zero | openssl enc -aes-128-ctr -K ${KEY} -iv ${KEY}`;

(canHaveTwoHosts ? describe : describe.skip)(titleOf("a large database and no network"), () => {
  let hosts: TwoHosts | null = null;

  afterEach(async () => {
    await hosts?.[Symbol.asyncDispose]();
    hosts = null;
  });

  /** Two hosts that share an array instead of a LUN. */
  async function start(): Promise<TwoHosts> {
    const made = hosts = await TwoHosts.make();
    const { bed, lun } = made;
    await bed.makeArray("array", "64MiB");
    for (const side of ["server", "client"]) {
      const yaml = readFileSync(bed.path(`${side}.yaml`), "utf8");
      const group = "array: array, volumes: [v0, v1]";
      bed.write(`${side}.yaml`, yaml.replace(`volumes: [${lun.path}]`, group));
    }
    const words = [["backup", MAKE], ["restore", "sha256sum > restored"]]
      .map(([key, script]) => `${key}: [bash, -c, "set -o pipefail; ${script}"]`).join(", ");
    const yaml = readFileSync(bed.path("client.yaml"), "utf8");
    bed.write("client.yaml", `${yaml}  large: { kind: command, ${words} }\n`);
    await formatBedGroup(bed.path("server.yaml"));
    await Promise.all([made.start("server"), made.start("client")]);
    return made;
  }

  test(`${BYTES} bytes go through the array, there and back`, async () => {
    const { bed, pair } = await start();
    const withoutLan = async (body: JobRequest): Promise<void> => {
      await pair.mendLan();
      const posted = await callControl(bed.socket("client"), "/v1/jobs", { method: "POST", body });
      const { job } = JSON.parse(posted.body) as JobView;
      await bed.moving("client");
      await pair.cutLan();
      const before = await pair.lanBytes();
      const summary = await until(TIMEOUT_MS, "the end of the job", async () => {
        await pause(LOOK_MS);
        return (await bed.get<JobView>("client", `/v1/jobs/${job}`)).summary;
      });
      const { bytes, seconds, channels } = summary;
      const figures = `${bytes} bytes in ${seconds} s, ${JSON.stringify(channels)}`;
      process.stdout.write(`${body.kind}: ${figures}\n`);
      expect(summary).toMatchObject({ status: "ok", fallback: null, bytes: BYTES });
      expect(channels.storage.bytes).toBeGreaterThan(BYTES);
      expect(channels.network.bytes).toBeLessThan(SETUP_BYTES);
      expect(await pair.lanBytes()).toBe(before);
    };
    await withoutLan({ kind: "backup-database", database: "large" });
    const place = { target: null, tablespaces: [], recovery: null };
    await withoutLan({
      kind: "restore-database",
      backup: "latest:large",
      database: "large",
      ...place,
    });
    const made = execFileSync("bash", ["-c", `${MAKE} | sha256sum`], { encoding: "utf8" });
    expect(readFileSync(bed.path("restored"), "utf8")).toBe(made);
  }, TIMEOUT_MS);
});
