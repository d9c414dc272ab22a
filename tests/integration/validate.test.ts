// `agent validate` with real daemons: both channels, a client that is down, a group that is down at
// the client, volumes that are mixed up. Nothing is moved, and no job stays behind.

import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, truncateSync } from "node:fs";
import type { ChannelReport } from "../../agent/control/daemon.ts";
import { freePorts } from "../../scripts/demonstration/free_ports.ts";
import { Bed, type BedOptions } from "./bed.ts";
import { clientYaml, serverYaml, STG_TIMES, stgLine } from "./bed_config.ts";

const TIMEOUT_MS = 120_000;

describe("agent validate", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  async function make(options: BedOptions = {}): Promise<Bed> {
    bed = await Bed.make(options);
    return bed;
  }

  interface Found {
    readonly code: number | null;
    readonly network: ChannelReport;
    readonly storage: ChannelReport;
    readonly status: unknown;
  }

  async function validate(bed: Bed): Promise<Found> {
    const { code, lines, summary, stderr } = await bed.json("server", "validate", "web01");
    const [network, storage] = lines as unknown[] as ChannelReport[];
    if (network === undefined || storage === undefined) throw new Error(stderr);
    // Both daemons read the same clock.
    if (summary?.status === "ok") expect(summary).toMatchObject({ clockAheadMs: 0 });
    return { code, network, storage, status: summary?.status };
  }

  /** A second array whose group has the same name: both hosts are sure to be right. */
  async function otherArray(bed: Bed): Promise<void> {
    await bed.makeArray("other", "64MiB");
    bed.write("client.yaml", clientOn(bed, "other"));
    await bed.expectOk("stg", "format", "stg0", "--config", bed.path("client.yaml"));
  }

  test("says YES to both, moves nothing and leaves no job behind", async () => {
    const bed = await make();
    await Promise.all([bed.start("server"), bed.start("client")]);
    for (let time = 1; time <= 3; time += 1) {
      const { code, network, storage, status } = await validate(bed);
      expect([code, status]).toEqual([0, "ok"]);
      expect([network.channel, network.usable, network.reason]).toEqual(["network", true, null]);
      expect([storage.channel, storage.usable, storage.stg]).toEqual(["storage", true, "stg0"]);
    }
    const text = await bed.run(["validate", "web01"], "server");
    expect(text.stdout).toMatch(/storage +stg0 +YES/);
    expect(await bed.endedJobs("server")).toEqual([]);
    expect(await bed.endedJobs("client")).toEqual([]);
    expect(bed.daemon("server").stderr).toContain('validated client "web01": network YES');
    // The endpoints came back in order: a status shows none as aborted, a backup finds them.
    const status = await bed.run(["stg", "status", "stg0", "--config", bed.path("server.yaml")]);
    expect(status.stdout).not.toContain("aborted");
    bed.write("file", "content");
    await bed.job("server", "backup", "filesystem", "--client", "web01", bed.path("file"));
  }, TIMEOUT_MS);

  test("says NO to both when the client is down: exit 15", async () => {
    const bed = await make();
    await bed.start("server");
    const { code, network, storage } = await validate(bed);
    expect([code, network.usable, storage.usable]).toEqual([15, false, false]);
    expect(network.reason).toBe("refused");
    expect(storage.reason).toBe("not_tried");
  }, TIMEOUT_MS);

  test("says NO to the storage when the group is down at the client", async () => {
    const bed = await make();
    bed.write("client.yaml", clientOn(bed, "none"));
    await Promise.all([bed.start("server"), bed.start("client")]);
    const { code, network, storage, status } = await validate(bed);
    expect([code, status]).toEqual([1, "failed"]);
    expect([network.usable, storage.usable]).toEqual([true, false]);
    expect(storage.reason).toBe("client_stg_down");
    expect(await bed.endedJobs("client")).toEqual([]);
  }, TIMEOUT_MS);

  test("says NO to the storage when the hosts mean different groups by one name", async () => {
    const bed = await make();
    await otherArray(bed);
    await Promise.all([bed.start("server"), bed.start("client")]);
    const { code, network, storage } = await validate(bed);
    expect([code, network.usable, storage.usable]).toEqual([1, true, false]);
    expect(storage.reason).toBe("stg_mismatch");
    expect(storage.detail).toContain("uuid");
  }, TIMEOUT_MS);

  // Server's and client's devices; the pattern of the one that is not the same.
  const MEDIA: [readonly string[], readonly string[], RegExp][] = [
    [["lun0", "lun1"], ["lun0", "copy1"], /volume "[^"]*(lun1|copy1)" does not show/],
    [["lun0", "lun1"], ["copy0", "lun1"], /does not show that host 2 listens/],
    [["lun0"], ["copy0"], /does not show that host 2 listens/],
  ];
  for (const [servers, clients, found] of MEDIA) {
    test(`says which medium is another one at the client: ${clients.join(", ")}`, async () => {
      bed = Bed.empty();
      bed.ports = { server: await freePorts(2), client: await freePorts(2) };
      for (const name of servers) {
        bed.write(name, "");
        truncateSync(bed.path(name), 64 * 1024 * 1024);
      }
      const stg = (host: number, names: readonly string[]) => {
        const volumes = names.map((name) => bed?.path(name)).join(", ");
        return `{ name: stg0, host: ${host}, volumes: [${volumes}], ${STG_TIMES} }`;
      };
      const server = serverYaml(bed.ports);
      bed.write("server.yaml", server.replace(`\n  - ${stgLine(1)}`, ` [ ${stg(1, servers)} ]`));
      bed.write("client.yaml", clientYaml(bed.ports).replace(stgLine(2), stg(2, clients)));
      await bed.expectOk("stg", "format", "stg0", "--config", bed.path("server.yaml"));
      // A clone of the device carries the same uuid: only what is written now tells them apart.
      for (const [index, name] of servers.entries()) {
        copyFileSync(bed.path(name), bed.path(`copy${index}`));
      }
      await Promise.all([bed.start("server"), bed.start("client")]);
      const { code, network, storage } = await validate(bed);
      expect([code, network.usable, storage.usable]).toEqual([1, true, false]);
      expect(storage.reason).toBe("proof_failed");
      expect(storage.detail).toMatch(found);
    }, TIMEOUT_MS);
  }

  test("shows the client's certificate, and NO when it is another's", async () => {
    const bed = await make();
    await bed.expectOk("pki", "init", bed.path("pki"));
    for (const name of ["vault01", "web01", "web02"]) {
      await bed.expectOk("pki", "issue", bed.path("pki"), name, "--address", "127.0.0.1");
    }
    const tls = (name: string) =>
      `tls: { ca: pki/ca.pem, cert: pki/${name}.pem, key: pki/${name}.key }\n`;
    const client = clientYaml(bed.ports).replace("server: { ", "server: { name: vault01, ");
    bed.write("server.yaml", serverYaml(bed.ports) + tls("vault01"));
    bed.write("client.yaml", client + tls("web01"));
    await Promise.all([bed.start("server"), bed.start("client")]);
    const right = await validate(bed);
    expect([right.code, right.storage.usable]).toEqual([0, true]);
    expect(right.network.detail).toContain('TLS, certificate of "web01"');
    // Another agent of the same CA sits at the client's address.
    await bed.stop("client");
    bed.write("client.yaml", client.replace("name: web01", "name: web02") + tls("web02"));
    await bed.start("client");
    const wrong = await validate(bed);
    expect([wrong.code, wrong.network.usable, wrong.network.reason]).toEqual([1, false, "auth"]);
    expect(wrong.network.detail).toContain("web02");
  }, TIMEOUT_MS);

  test("asks on the server only, and for a known client", async () => {
    const bed = await make();
    await Promise.all([bed.start("server"), bed.start("client")]);
    expect((await bed.json("client", "validate", "web01")).error?.code).toBe("usage");
    expect((await bed.json("server", "validate", "web02")).code).toBe(10);
  }, TIMEOUT_MS);

  function clientOn(bed: Bed, array: string): string {
    return `name: web01
network: { listen: 127.0.0.1, port: ${bed.ports.client} }
control: unix:client.sock
server: { address: 127.0.0.1, port: ${bed.ports.server}, connections: 2 }
stgs: [ { name: stg0, host: 2, array: ${array}, volumes: [v0, v1], ${STG_TIMES} } ]
spool: .
`;
  }
});
