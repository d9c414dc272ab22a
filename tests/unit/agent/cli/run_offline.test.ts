// The commands that need no daemon of the command line: a daemon's own start, the check of a
// configuration, arrays, groups and certificates.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CliBed } from "./cli_bed.ts";

let bed: CliBed;

beforeEach(async () => {
  bed = await CliBed.open();
});

afterEach(() => bed.close());

const CLIENT = `name: web01
network: { port: 7530 }
control: unix:c.sock
server: { address: 127.0.0.1, port: 7430 }
stgs: [ { name: stg0, host: 2, array: array, volumes: [v0] } ]
`;

describe("runCli() without a daemon", () => {
  test("--role runs a daemon with the configuration's path", async () => {
    expect((await bed.run("--role", "server")).code).toBe(0);
    expect((await bed.run("--role=client", "--config", "c.yaml")).code).toBe(0);
    expect(bed.daemonRuns).toEqual([
      { role: "server", configFile: "/etc/agent/server.yaml" },
      { role: "client", configFile: join(bed.directory, "c.yaml") },
    ]);
  });

  test("config check tells every problem, exit 2, and 0 when there is none", async () => {
    const file = join(bed.directory, "c.yaml");
    writeFileSync(file, CLIENT);
    expect((await bed.run("config", "check", "c.yaml")).stdout).toBe(
      "c.yaml: a good client configuration\n",
    );
    writeFileSync(file, CLIENT.replace("port: 7530", "port: 0").replace("name: web01", "nam: x"));
    const ran = await bed.run("config", "check", "c.yaml");
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("c.yaml:1:1: nam: unknown key");
    expect(ran.stderr).toContain("c.yaml:2:18: network.port: found 0, need at least 1");
    const json = await bed.run("config", "check", "c.yaml", "--json");
    expect(JSON.parse(json.stderr.split("\n")[2] ?? "").line).toBe(2);
  });

  test("array and stg commands hand plain options to the composition root", async () => {
    writeFileSync(join(bed.directory, "c.yaml"), CLIENT);
    const create = "array create a --volumes 2 --size 64MiB --cache 1G";
    expect((await bed.run(...create.split(" "))).code).toBe(0);
    expect((await bed.run("array", "check", "/a")).code).toBe(13);
    expect((await bed.run("array", "destage", "/a", "--json")).stdout).toContain('"tracks":7');
    expect((await bed.run("array", "repair", "/a", "--accept-loss")).stdout).toBe(
      "board0: replaced by an empty one\n" +
        "v0: 8192 bytes at 4096 are lost, their older content was taken\n" +
        "0 findings before, 1 places lost\n",
    );
    const grow = "array grow /a --volume v1 --add 2 --size 1GiB";
    expect((await bed.run(...grow.split(" "))).code).toBe(0);
    expect((await bed.run("array", "power-fail", "/a", "--json")).stdout).toContain('"tracks":3');
    expect((await bed.run("array", "remove", "/a")).code).toBe(0);
    expect((await bed.run("stg", "format", "stg0", "--config", "c.yaml")).code).toBe(0);
    expect((await bed.run("stg", "status", "stg0", "--config", "c.yaml")).stdout).toContain(
      "12 ms",
    );
    expect((await bed.run("stg", "status", "stg1", "--config", "c.yaml")).code).toBe(2);
    expect(bed.offlineCalls).toEqual([
      {
        directory: join(bed.directory, "a"),
        volumes: 2,
        volumeBytes: 64 * 1024 ** 2,
        boards: null,
        cacheBytes: 1024 ** 3,
      },
      "/a",
      "/a",
      ["/a", { acceptLoss: true }],
      { directory: "/a", volume: "v1", add: 2, sizeBytes: 1024 ** 3 },
      "/a",
      "/a",
      ["stg0", { force: false }],
      "stg0",
    ]);
  });
});
