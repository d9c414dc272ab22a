// What makes a job fail or end incomplete: each has a clear error and its exit code, nothing is
// half-published, and the next job works without any manual step.

import { afterEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { BackupDetail, BackupView } from "../../agent/control/daemon.ts";
import { Bed, type BedOptions } from "./bed.ts";
import { makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;

const isRoot = process.getuid?.() === 0;

/** As root, modes bind only who gave up the right to pass over them. */
const OBEY_MODES = isRoot
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
  : [];

/** A mount of one's own needs rights that a container may not have. */
const canMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

/** Runs a command with a small file system of its own on a directory. */
function withSmallDisk(directory: string, size: string): string[] {
  const script = 'mount -t tmpfs -o size="$2" none "$1" && shift 2 && exec "$@"';
  return ["unshare", "--mount", "sh", "-c", script, "sh", directory, size];
}

describe("bad input to jobs", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  async function make(options: BedOptions = {}): Promise<Bed> {
    bed = await Bed.make(options);
    return bed;
  }

  function fileOf(bed: Bed): string {
    bed.write("file", "content");
    return bed.path("file");
  }

  function backup(bed: Bed, path: string, client = "web01") {
    return bed.json("server", "backup", "filesystem", "--client", client, path);
  }

  test("unknown client, backup and job: exit 10", async () => {
    const bed = await make();
    await bed.start("server");
    const unknown = await backup(bed, "/etc", "web99");
    expect(unknown.code).toBe(10);
    expect(unknown.error?.message).toContain("web99");
    expect(unknown.error?.message).toContain("web01");
    for (const args of [["show", "nosuch"], ["ls", "nosuch"], ["job", "nosuch"], ["trace", "x"]]) {
      const { code, error } = await bed.json("server", ...args);
      expect(`${args[0]} ${code} ${error?.code}`).toBe(`${args[0]} 10 not_found`);
    }
    const target = ["--target", bed.path("x")];
    expect((await bed.json("server", "restore", "latest", ...target)).code).toBe(10);
  }, TIMEOUT_MS);

  test("a peer that does not run: exit 15, who and where", async () => {
    const bed = await make();
    await bed.start("server");
    const refused = await backup(bed, fileOf(bed));
    expect(refused.code).toBe(15);
    expect(refused.error?.message).toContain(`127.0.0.1:${bed.ports.client}`);
    expect(refused.error?.hint).toContain("--role client");
    await bed.stop("server");
    await bed.start("client");
    writeFileSync(bed.path("app.db"), "");
    const database = await bed.json("client", "backup", "database", "app");
    expect(database.code).toBe(15);
    expect(database.error?.message).toContain(`127.0.0.1:${bed.ports.server}`);
    // The peer comes back, and the same command works.
    await bed.start("server");
    await bed.job("client", "backup", "database", "app");
  }, TIMEOUT_MS);

  test("a daemon that does not run: exit 15, for every command", async () => {
    const bed = await make();
    const commands = [["status"], ["jobs"], ["backups"], ["verify"], ["cancel", "x"]];
    for (const args of commands) {
      const { code, error } = await bed.json("server", ...args);
      expect(`${args[0]} ${code}`).toBe(`${args[0]} 15`);
      expect(error?.message).toContain("server.sock");
      expect(error?.hint).toContain("--role server");
    }
  }, TIMEOUT_MS);

  test("wrong usage: exit 2, with a hint", async () => {
    const bed = await make();
    for (
      const args of [
        ["bakup"],
        ["backup", "filesystem", "/etc"],
        ["backup", "filesystem", "--client", "web01"],
        ["restore", "latest"],
        ["restore", "latest", "--target", "/x", "--overwrite", "perhaps"],
        ["array", "create", bed.path("a"), "--volumes", "two", "--size", "1MiB"],
        ["array", "create", bed.path("a"), "--volumes", "2", "--size", "plenty"],
        ["status", "--no-such-option"],
      ]
    ) {
      const { code, stderr } = await bed.run(args);
      expect(`${args.join(" ")}: ${code}`).toBe(`${args.join(" ")}: 2`);
      expect(stderr).toContain("error: ");
    }
    expect(existsSync(bed.path("a"))).toBe(false);
  }, TIMEOUT_MS);

  test("a path that does not exist: exit 1, nothing published", async () => {
    const bed = await Bed.started();
    try {
      const result = await backup(bed, bed.path("nowhere"));
      expect(result.code).toBe(1);
      expect(result.error?.message).toContain(bed.path("nowhere"));
      expect(result.summary).toMatchObject({ status: "failed", backup: null, files: null });
      expect((await bed.json("server", "backups")).lines).toEqual([]);
      expect(readdirSync(bed.path("vault", "media"))).toEqual([]);
      // Beside one that exists as well.
      const both = ["--client", "web01", fileOf(bed), bed.path("nowhere")];
      const mixed = await bed.json("server", "backup", "filesystem", ...both);
      expect(mixed.code).toBe(1);
    } finally {
      await bed[Symbol.asyncDispose]();
    }
  }, TIMEOUT_MS);

  test("unreadable files: published as incomplete, exit 3, each is named", async () => {
    const bed = await make();
    await bed.start("server");
    await bed.start("client", { wrapper: OBEY_MODES });
    mkdirSync(bed.path("tree", "closed"), { recursive: true });
    for (const name of ["a", "secret", "closed/inside"]) bed.write(`tree/${name}`, name);
    chmodSync(bed.path("tree", "secret"), 0);
    chmodSync(bed.path("tree", "closed"), 0);
    const result = await backup(bed, bed.path("tree"));
    expect(result.code).toBe(3);
    expect(result.summary).toMatchObject({ status: "incomplete" });
    expect(result.stderr).toContain(bed.path("tree", "secret"));
    expect(result.stderr).toContain(bed.path("tree", "closed"));
    const { lines } = await bed.json("server", "backups");
    expect(lines.map((line): Partial<BackupView> => line)[0]?.status).toBe("incomplete");
    const detail = await bed.get<BackupDetail>("server", `/v1/backups/${result.summary?.backup}`);
    expect(detail.skipped.map(({ path }) => path).sort()).toEqual([
      bed.path("tree", "closed"),
      bed.path("tree", "secret"),
    ]);
    chmodSync(bed.path("tree", "closed"), 0o755);
    const target = ["--target", bed.path("restored")];
    const restored = await bed.json("server", "restore", "latest", ...target);
    expect(restored.code).toBe(0);
    const there = `${bed.path("restored")}${bed.path("tree")}`;
    expect(readdirSync(there).sort()).toEqual(["a", "closed"]);
  }, TIMEOUT_MS);

  test("a vault that is not writable: exit 1, and it works again when it is", async () => {
    const bed = await make();
    await bed.start("server", { wrapper: OBEY_MODES });
    await bed.start("client");
    chmodSync(bed.path("vault", "media"), 0o500);
    const refused = await backup(bed, fileOf(bed));
    expect(refused.code).toBe(1);
    expect(refused.error?.message).toContain("vault");
    expect(refused.error?.message).toMatch(/EACCES|permission|writable/i);
    chmodSync(bed.path("vault", "media"), 0o700);
    expect((await backup(bed, fileOf(bed))).code).toBe(0);
    await bed.stop("server");
    chmodSync(bed.path("vault"), 0o500);
    const { code, stderr } = await bed.launch("server", { wrapper: OBEY_MODES }).ended;
    expect(code).toBe(1);
    expect(stderr).toContain(bed.path("vault"));
    chmodSync(bed.path("vault"), 0o700);
  }, TIMEOUT_MS);

  (canMount ? test : test.skip)(
    "a full vault: exit 14, nothing published, the next backup to a freed vault works",
    async () => {
      const bed = await make();
      mkdirSync(bed.path("vault"));
      const wrapper = withSmallDisk(bed.path("vault"), "24m");
      const server = await bed.start("server", { wrapper });
      await bed.start("client");
      // The mount is only in the server's own view of the files.
      const vault = `/proc/${server.pid}/root${bed.path("vault")}`;
      await makeRandomFiles(bed.path("small"), { count: 1, bytes: 1_000_000 });
      await makeRandomFiles(bed.path("large"), { count: 3, bytes: 8_000_000 });
      expect((await backup(bed, bed.path("small"))).code).toBe(0);
      writeFileSync(`${vault}/filler`, new Uint8Array(10_000_000));
      const full = await backup(bed, bed.path("large"));
      expect(full.code).toBe(14);
      expect(full.error?.message).toContain(bed.path("vault"));
      expect(full.error?.hint).not.toBe(null);
      expect((await bed.json("server", "backups")).lines.length).toBe(1);
      expect(readdirSync(`${vault}/media`).length).toBe(1);
      expect((await bed.json("server", "verify", "--data")).code).toBe(0);
      expect((await bed.endedJobs("client")).at(-1)?.state).toBe("failed");
      rmSync(`${vault}/filler`);
      rmSync(bed.path("large", "r2"));
      expect((await backup(bed, bed.path("large"))).code).toBe(0);
      expect((await bed.json("server", "verify", "--data")).code).toBe(0);
    },
    TIMEOUT_MS,
  );

  (canMount ? test : test.skip)(
    "a vault without a free byte: expire works and makes room for the next backup",
    async () => {
      const bed = await make({ moreClients: "retention: { keep_last: 1 }\n" });
      mkdirSync(bed.path("vault"));
      const server = await bed.start("server", {
        wrapper: withSmallDisk(bed.path("vault"), "24m"),
      });
      await bed.start("client");
      const vault = `/proc/${server.pid}/root${bed.path("vault")}`;
      await makeRandomFiles(bed.path("data"), { count: 1, bytes: 5_000_000 });
      for (let made = 0; made < 2; made++) {
        const options = ["--client", "web01", "--full", bed.path("data")];
        expect((await bed.json("server", "backup", "filesystem", ...options)).code).toBe(0);
      }
      const filler = openSync(`${vault}/filler`, "w");
      try {
        const page = new Uint8Array(4096);
        while (statfsSync(vault).bavail > 0) writeSync(filler, page);
      } finally {
        closeSync(filler);
      }
      expect((await backup(bed, bed.path("data"))).code).toBe(14);
      const expired = await bed.json("server", "expire");
      expect([expired.code, expired.error]).toEqual([0, null]);
      expect(expired.lines.map(({ action }) => action)).toEqual(["expire", "keep", undefined]);
      expect((await bed.json("server", "backups")).lines.length).toBe(1);
      expect((await backup(bed, bed.path("data"))).code).toBe(0);
      expect((await bed.json("server", "verify", "--data")).code).toBe(0);
    },
    TIMEOUT_MS,
  );
});
