// What keeps a daemon from starting, or a group from coming up: each has a clear error and an exit
// code, and nothing is lost.

import { afterEach, describe, expect, test } from "bun:test";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bed, type BedOptions } from "./bed.ts";
import { stgLine } from "./bed_config.ts";
import { bundleCommand, runProgram } from "./program.ts";

const TIMEOUT_MS = 120_000;

describe("bad input to the start", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  async function make(options: BedOptions = {}): Promise<Bed> {
    bed = await Bed.make(options);
    return bed;
  }

  /** A small file that a backup of a bed can take. */
  function fileOf(bed: Bed): string {
    bed.write("file", "content");
    return bed.path("file");
  }

  test("every wrong or missing key at once, each with line and key: exit 2", async () => {
    const bed = await make();
    bed.write(
      "server.yaml",
      `name: vault01
network: { listen: 127.0.0.1, prot: 7430 }
control: nonsense
stgs:
  - { name: stg0, host: zero, array: array, volumes: [] }
clients:
  web01: { address: 127.0.0.1, port: 99999, stg: stg9, channel: prefer, wait: long }
`,
    );
    const places = [
      [2, "network.prot"],
      [2, "network.port"],
      [3, "control"],
      [5, "stgs[0].host"],
      [5, "stgs[0].volumes"],
      [7, "clients.web01.port"],
      [7, "clients.web01.channel"],
      [7, "clients.web01.wait"],
    ] as const;
    const checked = await bed.run(["config", "check", bed.path("server.yaml")]);
    const started = bed.launch("server");
    for (const { code, stderr } of [checked, await started.ended]) {
      expect(code).toBe(2);
      for (const [line, key] of places) {
        expect(stderr).toMatch(new RegExp(`server.yaml:${line}:\\d+: ${escaped(key)}: `));
      }
      expect(stderr).toContain("vault");
      expect(stderr).toMatch(/hint: .*port/);
    }
    const json = await bed.run(["config", "check", "--json", bed.path("server.yaml")]);
    expect(json.code).toBe(2);
    expect(json.error).toMatchObject({ type: "error", code: "usage" });
    const missing = await bed.run(["config", "check", bed.path("none.yaml")]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("none.yaml");
  }, TIMEOUT_MS);

  test("a port that is taken: exit 11, the port is named", async () => {
    const bed = await make();
    for (const [side, port] of [["server", bed.ports.server], ["client", bed.ports.client + 1]]) {
      const holder = createServer();
      holder.listen(Number(port), "127.0.0.1");
      await once(holder, "listening");
      const { code, stderr } = await bed.launch(String(side)).ended;
      holder.close();
      expect(code).toBe(11);
      expect(stderr).toContain(String(port));
      expect(stderr).toContain("hint: ");
    }
    await bed.start("server");
    await bed.start("client");
  }, TIMEOUT_MS);

  test("a second agent with a live host id: exit 11, the holder is named", async () => {
    const bed = await make();
    await bed.start("client");
    const server = bed.launch("server");
    await server.waitFor(/is ready/);
    const second = readFileSync(bed.path("server.yaml"), "utf8");
    bed.write(
      "server2.yaml",
      second.replace(stgLine(1), stgLine(2)).replace("vault: vault", "vault: vault2"),
    );
    const { code, stderr } = await bed.launch("server2").ended;
    expect(code).toBe(11);
    expect(stderr).toContain("web01");
    expect(stderr).toContain("hint: ");
    // The first agent is not disturbed.
    await bed.job("server", "backup", "filesystem", "--client", "web01", fileOf(bed));
  }, TIMEOUT_MS);

  test("a second daemon on the same vault: exit 11", async () => {
    const bed = await make();
    await bed.start("server");
    const first = readFileSync(bed.path("server.yaml"), "utf8");
    bed.write("server2.yaml", first.replace(stgLine(1), stgLine(3)));
    const { code, stderr } = await bed.launch("server2").ended;
    expect(code).toBe(11);
    expect(stderr).toContain("vault");
  }, TIMEOUT_MS);

  const spoilings: readonly (readonly [string, (bed: Bed) => Promise<void>, RegExp])[] = [
    ["missing", (bed) => Promise.resolve(unlinkSync(bed.path("array", "v1.dev"))), /v1/],
    [
      "too small",
      (bed) => Promise.resolve(truncateSync(bed.path("array", "v1.dev"), 4096)),
      /v1/,
    ],
    ["not formatted", async (bed) => {
      await bed.expectOk("array", "remove", bed.path("array"));
      const shape = ["--volumes", "2", "--size", "64MiB", "--cache", "16MiB"];
      await bed.expectOk("array", "create", bed.path("array"), ...shape);
    }, /format/],
  ];
  for (const [what, spoil, named] of spoilings) {
    test(`a device file that is ${what}: the group is down and says why`, async () => {
      const bed = await make({ wait: "200ms" });
      await spoil(bed);
      await Promise.all([bed.start("server"), bed.start("client")]);
      for (const side of ["server", "client"]) {
        const { stgs, ready } = await bed.status(side);
        expect(ready).toBe(true);
        expect(stgs[0]?.state).toBe("down");
        expect(stgs[0]?.reason).toMatch(named);
        expect((await bed.run(["status"], side)).stdout).toMatch(named);
      }
      const paths = ["--client", "web01", fileOf(bed)];
      const summary = await bed.job("server", "backup", "filesystem", ...paths);
      expect([summary.status, summary.fallback]).toEqual(["ok", "server_stg_down"]);
      expect(bed.daemon("server").stderr).toMatch(named);
      expect(summary.channels.storage.bytes).toBe(0);
    }, TIMEOUT_MS);
  }

  test(
    "a volume that is too small for a group is not formatted: the size that is needed",
    async () => {
      const bed = await make();
      await bed.makeArray("array2", "1MiB");
      const small = readFileSync(bed.path("server.yaml"), "utf8")
        .replace("array: array,", "array: array2,");
      bed.write("server2.yaml", small);
      const command = ["stg", "format", "stg0", "--config", bed.path("server2.yaml")];
      const { code, stderr } = await bed.run(command);
      expect(code).toBe(14);
      expect(stderr).toMatch(/has 1048576 bytes, need \d+/);
      expect(stderr).toContain("hint: ");
    },
    TIMEOUT_MS,
  );

  test("storage-only fails with the reason when the group is down", async () => {
    const bed = await make({ channel: "storage-only", wait: "200ms" });
    unlinkSync(bed.path("array", "v0.dev"));
    await Promise.all([bed.start("server"), bed.start("client")]);
    const paths = ["--client", "web01", fileOf(bed)];
    const result = await bed.json("server", "backup", "filesystem", ...paths);
    expect(result.code).toBe(1);
    expect(result.error?.message).toMatch(/v0/);
    expect(result.summary).toMatchObject({ status: "failed", backup: null });
    expect((await bed.json("server", "backups")).lines).toEqual([]);
  }, TIMEOUT_MS);

  test("a group whose uuid differs between the hosts is not used", async () => {
    const bed = await make({ wait: "200ms" });
    await bed.makeArray("array2", "64MiB");
    const client = readFileSync(bed.path("client.yaml"), "utf8");
    bed.write("client.yaml", client.replace("array: array,", "array: array2,"));
    await bed.expectOk("stg", "format", "stg0", "--config", bed.path("client.yaml"));
    await Promise.all([bed.start("server"), bed.start("client")]);
    const paths = ["--client", "web01", fileOf(bed)];
    const summary = await bed.job("server", "backup", "filesystem", ...paths);
    expect(summary.fallback).toBe("stg_mismatch");
    expect(summary.channels.storage.bytes).toBe(0);
    writeFileSync(bed.path("app.db"), "");
    const database = await bed.json("client", "backup", "database", "app");
    expect(database.summary?.fallback).toBe("stg_mismatch");
  }, TIMEOUT_MS);
});

// Of the sources tests/unit/agent/start_program.test.ts tries more; a binary is one file.
const bundle = process.env["AGENT_BUNDLE"] ?? "";
if (bundle !== "") {
  test("a bundle of which only the entry is left ends `wal get` with 126", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bad-start-"));
    try {
      cpSync(bundle, folder, { recursive: true });
      const entry = readFileSync(join(folder, "main.ts"), "utf8");
      const needed = [...entry.matchAll(/from "\.\/(.*)";/g)].map(([, name]) => name);
      const others = readdirSync(folder).filter((name) =>
        name.endsWith(".js") && !needed.includes(name)
      );
      expect(others.length).toBeGreaterThan(needed.length);
      for (const name of others) rmSync(join(folder, name));
      const command = bundleCommand(process.execPath, folder);
      const get = ["wal", "get", "000000010000000000000001", "got", "--database", "pg"];
      const codes = [];
      for (const args of [get, ["wal", "push", "file"], ["status"]]) {
        codes.push((await runProgram(args, { command })).code);
      }
      expect(codes).toEqual([126, 70, 70]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, TIMEOUT_MS);
}

function escaped(text: string): string {
  return text.replace(/[.[\]]/g, "\\$&");
}
