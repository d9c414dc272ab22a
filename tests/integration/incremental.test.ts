// Incremental backups between two real daemons: only what changed moves, every backup presents its
// whole tree, and a damaged catalog is made again by command.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { BackupDetail } from "../../agent/control/daemon.ts";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { Bed } from "./bed.ts";
import { callControl } from "./control_call.ts";
import { differences, makeOddTree, makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;

describe("incremental backups", () => {
  let bed: Bed;
  let tree: string;
  let first: string;
  let second: string;
  const list = async (backup: string) =>
    (await bed.json("server", "ls", backup, tree)).lines.map((line) => JSON.stringify(line));

  beforeAll(async () => {
    bed = await Bed.started();
    tree = bed.path("tree");
    await makeOddTree(tree);
    await makeRandomFiles(`${tree}/bulk`, { count: 20, bytes: 256 * 1024 });
    await needTool(["cp", "-a", tree, bed.path("before")]);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  test("the second backup moves only what changed", async () => {
    const full = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    first = full.backup ?? "";
    rmSync(`${tree}/bulk/${readdirSync(`${tree}/bulk`)[0]}`);
    mkdirSync(`${tree}/added`);
    writeFileSync(`${tree}/added/file`, "new");
    renameSync(`${tree}/names`, `${tree}/renamed`);
    const summary = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    second = summary.backup ?? "";
    expect(summary.status).toBe("ok");
    expect(summary.bytes).toBeLessThan((full.bytes ?? 0) / 10);
    expect(summary.channels.storage.bytes).toBeLessThan(full.channels.storage.bytes / 5);
    const detail = await bed.get<BackupDetail>("server", `/v1/backups/${second}`);
    expect(detail).toMatchObject({ level: "incremental", parent: first });
  }, TIMEOUT_MS);

  test("each backup lists and restores the tree of its time", async () => {
    for (const [backup, wanted] of [[first, bed.path("before")], [second, tree]] as const) {
      const target = bed.path(`restored-${backup}`);
      await bed.job("server", "restore", backup, "--target", target);
      expect(await differences(wanted, `${target}${tree}`)).toEqual([]);
      await bed.job("server", "verify", "--data", backup);
    }
    expect((await list(first)).length + 1).toBe((await list(second)).length);
  }, TIMEOUT_MS);

  test("find and diff say what happened", async () => {
    const found = await bed.json("server", "find", `${tree}/added/*`);
    expect(found.lines).toMatchObject([{
      path: `${tree}/added/file`,
      first: second,
      last: second,
    }]);
    expect((await bed.json("server", "find", "/no/such/*")).code).toBe(1);
    const { lines, code } = await bed.json("server", "diff", first, second);
    expect(code).toBe(0);
    expect(lines).toContainEqual({
      change: "added",
      path: `${tree}/added/file`,
      pathBase64: null,
      type: "file",
      bytes: 3,
      reasons: [],
    });
    expect(lines.some(({ path, change }) => path === `${tree}/names` && change === "removed"))
      .toBe(true);
  }, TIMEOUT_MS);

  test("a damaged catalog leaves only its rebuilding, which lists the same again", async () => {
    const before = [...await list(first), ...await list(second)];
    await bed.stop("server");
    rmSync(bed.path("vault", "catalog.sqlite-wal"), { force: true });
    expect(statSync(bed.path("vault", "catalog.sqlite")).size).toBeGreaterThan(100);
    truncateSync(bed.path("vault", "catalog.sqlite"), 100);
    await bed.start("server");
    expect((await callControl(bed.socket("server"), "/readyz")).status).toBe(503);
    const refused = await bed.json("server", "backup", "filesystem", "--client", "web01", tree);
    expect(refused.code).toBe(13);
    expect(refused.error?.hint).toContain("agent catalog rebuild");
    expect((await bed.job("server", "catalog", "rebuild")).status).toBe("ok");
    expect((await callControl(bed.socket("server"), "/readyz")).status).toBe(200);
    expect([...await list(first), ...await list(second)]).toEqual(before);
    const third = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    const detail = await bed.get<BackupDetail>("server", `/v1/backups/${third.backup}`);
    expect(detail).toMatchObject({ level: "incremental", parent: second });
  }, TIMEOUT_MS);

  test("full_every of a client makes every second backup of a source a full one", async () => {
    await bed.stop("server");
    const config = readFileSync(bed.path("server.yaml"), "utf8");
    const client = /^( {2}web01: \{.*)\}$/m;
    writeFileSync(bed.path("server.yaml"), config.replace(client, "$1, full_every: 2 }"));
    await bed.start("server");
    const levels: BackupDetail["level"][] = [];
    for (let count = 0; count < 4; count++) {
      const source = `${tree}/added`;
      const made = await bed.job("server", "backup", "filesystem", "--client", "web01", source);
      levels.push((await bed.get<BackupDetail>("server", `/v1/backups/${made.backup}`)).level);
    }
    expect(levels).toEqual(["full", "incremental", "full", "incremental"]);
  }, TIMEOUT_MS);
});
