// Backup and restore through raw block devices between two real processes: a group striped over
// two devices with different logical blocks, and a second group of each host on another one.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { freePorts } from "../../scripts/demonstration/free_ports.ts";
import { describeOnLoop, LoopDevice, run } from "../unit/transport/raw/loop_device.ts";
import { Bed } from "./bed.ts";
import { clientYaml, serverYaml, STG_TIMES, stgLine } from "./bed_config.ts";
import { differences, makeOddTree } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;
const SIZE_BYTES = 64 * 1024 * 1024;

describeOnLoop("backup through raw block devices", () => {
  let bed: Bed;
  const devices: LoopDevice[] = [];

  /** The `stgs:` items of a host. */
  const groups = (host: number): string => {
    const [first, second, third] = devices.map(({ path }) => path);
    return `{ name: stg0, host: ${host}, volumes: [${first}, ${second}], ${STG_TIMES} }, ` +
      `{ name: stg1, host: ${host}, volumes: [${third}], ${STG_TIMES} }`;
  };

  beforeAll(async () => {
    for (const sectorBytes of [512, 4096, 512] as const) {
      devices.push(new LoopDevice({ sizeBytes: SIZE_BYTES, sectorBytes }));
    }
    bed = Bed.empty();
    bed.ports = { server: await freePorts(2), client: await freePorts(2) };
    const otherPort = await freePorts(2);
    const server = serverYaml(bed.ports, {
      moreClients:
        `  web02: { address: 127.0.0.1, port: ${otherPort}, stg: stg1, connections: 2 }\n`,
    });
    bed.write("server.yaml", server.replace(`\n  - ${stgLine(1)}`, ` [ ${groups(1)} ]`));
    // The second client shares the second group only.
    const other = clientYaml({ server: bed.ports.server, client: otherPort })
      .replaceAll("web01", "web02").replace("client.sock", "client2.sock")
      .replace(stgLine(2), groups(3).slice(groups(3).lastIndexOf("{")));
    bed.write("client2.yaml", other);
    bed.write("client.yaml", clientYaml(bed.ports).replace(stgLine(2), groups(2)));
    for (const name of ["stg0", "stg1"]) {
      await bed.expectOk("stg", "format", name, "--config", bed.path("server.yaml"));
    }
    await Promise.all([bed.start("server"), bed.start("client"), bed.start("client2")]);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
    for (const device of devices) device[Symbol.dispose]();
  });

  test("all groups of a host are up", async () => {
    for (const side of ["server", "client"]) {
      const views = await bed.get<{ name: string; state: string }[]>(side, "/v1/stgs");
      expect(views.map(({ name, state }) => [name, state])).toEqual([["stg0", "up"], [
        "stg1",
        "up",
      ]]);
    }
  });

  test("what is restored is what was backed up, and went through the devices", async () => {
    const tree = bed.path("tree");
    await makeOddTree(tree);
    const saved = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    expect(saved).toMatchObject({ status: "ok", fallback: null });
    const { network, storage } = saved.channels;
    expect(storage.bytes).toBeGreaterThan((saved.bytes ?? 0) / 2);
    expect(network.bytes).toBeLessThan(storage.bytes / 50);
    const target = bed.path("restored");
    const back = await bed.job("server", "restore", saved.backup ?? "", "--target", target);
    expect(back).toMatchObject({ status: "ok", fallback: null });
    expect(await differences(tree, `${target}${tree}`)).toEqual([]);
  }, TIMEOUT_MS);

  test("jobs go through both groups at once, each through that of its client", async () => {
    const tree = bed.path("random");
    mkdirSync(tree);
    for (const name of ["a", "b"]) {
      writeFileSync(`${tree}/${name}`, crypto.getRandomValues(new Uint8Array(65_536)));
    }
    const names = ["web01", "web02"];
    const moved = (name: string) =>
      bed.job("server", "backup", "filesystem", "--client", name, tree);
    const saved = await Promise.all(names.map(moved));
    for (const [at, { backup, status, fallback, channels }] of saved.entries()) {
      expect([status, fallback]).toEqual(["ok", null]);
      expect(channels.storage.bytes).toBeGreaterThan(2 * 65_536);
      const target = bed.path(`restored from ${names[at]}`);
      const back = await bed.job("server", "restore", backup ?? "", "--target", target);
      expect(back).toMatchObject({ status: "ok", fallback: null });
      expect(await differences(tree, `${target}${tree}`)).toEqual([]);
    }
  }, TIMEOUT_MS);

  test("jobs leave no queue of the kernel behind in their daemons", async () => {
    const file = bed.path("one file");
    writeFileSync(file, "content");
    const queues = (side: string): number => {
      const maps = readFileSync(`/proc/${bed.daemon(side).child.pid}/maps`, "utf8");
      return maps.match(/\[aio\]/g)?.length ?? 0;
    };
    // One for each group.
    expect([queues("server"), queues("client")]).toEqual([2, 2]);
    for (let round = 0; round < 5; round++) {
      await bed.job("server", "backup", "filesystem", "--client", "web01", file);
    }
    expect([queues("server"), queues("client")]).toEqual([2, 2]);
  }, TIMEOUT_MS);

  test("format refuses data unless it is forced, and a mounted device always", async () => {
    using device = new LoopDevice({ sizeBytes: SIZE_BYTES });
    const text = `{ name: stg0, host: 1, volumes: [${device.path}] }`;
    bed.write("other.yaml", serverYaml(bed.ports).replace(stgLine(1), text));
    const words = ["stg", "format", "stg0", "--config", bed.path("other.yaml"), "--json"];
    run("mkfs.ext4", "-q", "-F", device.path);
    const point = bed.path("mounted");
    mkdirSync(point);
    run("mount", device.path, point);
    try {
      for (const force of [[], ["--force"]]) {
        const { code, error } = await bed.run([...words, ...force]);
        expect([code, error?.code]).toEqual([11, "busy"]);
        expect(error?.message).toContain(`it is mounted at "${point}"`);
      }
    } finally {
      run("umount", point);
    }
    const plain = await bed.run(words);
    expect([plain.code, plain.error?.code]).toEqual([11, "busy"]);
    expect(plain.error?.message).toContain("found an ext4 file system at byte 1080");
    expect((await bed.run([...words, "--force"])).code).toBe(0);
    // What is there now is a group, and no file system any more.
    const again = await bed.run(words);
    expect([again.code, again.error?.message]).toEqual([
      11,
      `Cannot format volume "${device.path}": it carries storage transport group "stg0", ` +
      "need an unused volume",
    ]);
    expect((await bed.run([...words, "--force"])).code).toBe(0);
  }, TIMEOUT_MS);

  test("format of a group in use is refused, also by force", async () => {
    const words = ["stg", "format", "stg1", "--config", bed.path("server.yaml"), "--json"];
    const plain = await bed.run(words);
    expect([plain.code, plain.error?.code]).toEqual([11, "busy"]);
    const forced = await bed.run([...words, "--force"]);
    expect([forced.code, forced.error?.code]).toEqual([11, "busy"]);
    expect(forced.error?.message).toContain("need a group without live hosts");
  }, TIMEOUT_MS);
});
