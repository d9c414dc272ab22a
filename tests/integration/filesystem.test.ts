// Backup and restore of a file system between two real processes: what comes back is identical, by
// programs that know nothing of ours, and the bytes go through the storage.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import type { BackupDetail } from "../../agent/control/daemon.ts";
import { freePorts } from "../../scripts/demonstration/free_ports.ts";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { Bed } from "./bed.ts";
import { clientYaml, stgLine } from "./bed_config.ts";
import { callControl } from "./control_call.ts";
import { differences, makeOddTree, makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;

/** What the first view of the page may load. */
const PAGE_BYTES_MAX = 200_000;

const SUMMARY_KEYS = [
  "type",
  "job",
  "backup",
  "status",
  "files",
  "bytes",
  "seconds",
  "channels",
  "fallback",
];

describe("file-system backup and restore", () => {
  let bed: Bed;
  let tree: string;
  let backup: string;

  beforeAll(async () => {
    const otherPort = await freePorts(2);
    bed = await Bed.make({
      moreClients:
        `  web02: { address: 127.0.0.1, port: ${otherPort}, stg: stg0, connections: 2 }\n`,
    });
    const other = clientYaml({ server: bed.ports.server, client: otherPort })
      .replaceAll("web01", "web02").replace("client.sock", "client2.sock")
      .replace(stgLine(2), stgLine(3));
    bed.write("client2.yaml", other);
    await Promise.all([bed.start("server"), bed.start("client"), bed.start("client2")]);
    tree = bed.path("tree");
    await makeOddTree(tree);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  test("backup ends with 0 and a summary with all keys", async () => {
    const result = await bed.json("server", "backup", "filesystem", "--client", "web01", tree);
    expect(result.stderr).toBe("");
    expect(result.code).toBe(0);
    expect(result.lines.at(-1)?.["type"]).toBe("summary");
    expect(Object.keys(result.summary ?? {})).toEqual(SUMMARY_KEYS);
    expect(result.summary).toMatchObject({ status: "ok", fallback: null });
    expect(result.summary?.bytes).toBeGreaterThan(14_000_000);
    for (const line of result.lines.slice(0, -1)) expect(line["type"]).toBe("progress");
    backup = result.summary?.backup ?? "";
    expect(await bed.status("client")).toMatchObject({ jobs: { running: 0 } });
  }, TIMEOUT_MS);

  test("restore brings back the identical tree", async () => {
    const target = bed.path("restored");
    const summary = await bed.job("server", "restore", backup, "--target", target);
    expect(Object.keys(summary)).toEqual(SUMMARY_KEYS);
    expect(summary).toMatchObject({ backup, status: "ok", fallback: null });
    expect(await differences(tree, `${target}${tree}`)).toEqual([]);
  }, TIMEOUT_MS);

  test("media restore with zstd and tar alone", async () => {
    const target = bed.path("by-tar");
    mkdirSync(target);
    const media = bed.path("vault", "media", `${backup}.tar.zst`);
    await needTool(["zstd", "-t", "-q", media]);
    const script = 'zstd -dc "$1" | ' +
      "tar --xattrs --xattrs-include='*' --acls --numeric-owner -xpf - -C \"$2\"";
    await needTool(["sh", "-c", script, "sh", media, target]);
    expect(await differences(tree, `${target}${tree}`)).toEqual([]);
  }, TIMEOUT_MS);

  test("restore --include brings a hard link whose first name is not selected", async () => {
    const target = bed.path("partial");
    const include = ["--include", `${tree}/other/third`, "--include", `${tree}/names`];
    const summary = await bed.job("server", "restore", backup, "--target", target, ...include);
    expect(summary.status).toBe("ok");
    const there = `${target}${tree}`;
    expect(readFileSync(`${there}/other/third`, "utf8")).toBe("linked data");
    expect(lstatSync(`${there}/other/third`).nlink).toBe(1);
    expect(await differences(`${tree}/names`, `${there}/names`)).toEqual([]);
    for (const name of ["links", "text", "deep", "other/fourth-\xe9"]) {
      expect(existsSync(`${there}/${name}`)).toBe(false);
    }
    const glob = ["--include", `${tree}/names/n?`, "--target", bed.path("glob")];
    expect((await bed.job("server", "restore", backup, ...glob)).files).toBeGreaterThan(9);
    expect(existsSync(`${bed.path("glob")}${tree}/names/n10`)).toBe(false);
  }, TIMEOUT_MS);

  test("restore --include ends with 1 when nothing matches", async () => {
    const include = ["--include", "/no/such/path"];
    const target = ["--target", bed.path("nothing")];
    const result = await bed.json("server", "restore", backup, ...target, ...include);
    expect(result.code).toBe(1);
    expect(result.error?.message).toContain("/no/such/path");
    expect(existsSync(bed.path("nothing"))).toBe(false);
  }, TIMEOUT_MS);

  test("restore --client brings the tree to another client", async () => {
    const target = bed.path("elsewhere");
    const to = ["--client", "web02", "--target", target];
    const summary = await bed.job("server", "restore", backup, ...to);
    expect(summary.fallback).toBe(null);
    expect(await differences(tree, `${target}${tree}`)).toEqual([]);
    const kinds = (await bed.jobs("client2")).map(({ kind, state }) => ({ kind, state }));
    expect(kinds).toEqual([{ kind: "restore-filesystem", state: "ok" }]);
  }, TIMEOUT_MS);

  test("restore refuses a target that is not empty and obeys --overwrite", async () => {
    const small = bed.path("small");
    mkdirSync(small);
    writeFileSync(`${small}/a`, "original a");
    writeFileSync(`${small}/b`, "original b");
    const made = await bed.job("server", "backup", "filesystem", "--client", "web01", small);
    const target = bed.path("full");
    mkdirSync(`${target}${small}`, { recursive: true });
    writeFileSync(`${target}${small}/a`, "mine");
    const restore = ["restore", made.backup ?? "", "--target", target];
    const refused = await bed.json("server", ...restore);
    expect(refused.code).toBe(1);
    expect(refused.error?.hint).toContain("--overwrite");
    expect(existsSync(`${target}${small}/b`)).toBe(false);
    expect(readFileSync(`${target}${small}/a`, "utf8")).toBe("mine");
    await bed.job("server", ...restore, "--overwrite", "never");
    expect(readFileSync(`${target}${small}/a`, "utf8")).toBe("mine");
    expect(readFileSync(`${target}${small}/b`, "utf8")).toBe("original b");
    await bed.job("server", ...restore, "--overwrite", "always");
    expect(await differences(small, `${target}${small}`)).toEqual([]);
  }, TIMEOUT_MS);

  test("in place: --target / --overwrite always brings back what was changed", async () => {
    const place = bed.path("place");
    mkdirSync(place);
    writeFileSync(`${place}/kept`, "as it was");
    const made = await bed.job("server", "backup", "filesystem", "--client", "web01", place);
    writeFileSync(`${place}/kept`, "spoiled");
    const how = ["--target", "/", "--overwrite", "always"];
    await bed.job("server", "restore", made.backup ?? "", ...how);
    expect(readFileSync(`${place}/kept`, "utf8")).toBe("as it was");
    writeFileSync(`${place}/kept`, "again");
    const changed = ["restore", made.backup ?? "", "--target", "/", "--overwrite", "changed"];
    const dry = await bed.job("server", ...changed, "--dry-run");
    expect(readFileSync(`${place}/kept`, "utf8")).toBe("again");
    const done = await bed.job("server", ...changed);
    expect(done.verdicts).toEqual(dry.verdicts);
    expect(done.verdicts).toMatchObject({ replace: { files: 1, bytes: 9 } });
    expect(readFileSync(`${place}/kept`, "utf8")).toBe("as it was");
  }, TIMEOUT_MS);

  test("drill restores and compares a backup on the server, and the backup says so", async () => {
    const summary = await bed.job("server", "drill", backup, "--all");
    expect(summary).toMatchObject({
      status: "ok",
      backup,
      drill: { status: "ok", differences: 0 },
    });
    const detail = await bed.get<BackupDetail>("server", `/v1/backups/${backup}`);
    expect(detail.drilled).toEqual(summary.drill ?? null);
    expect(readdirSync(bed.path("vault/drill"))).toEqual([]);
  }, TIMEOUT_MS);

  test("the page and each file that it names are in the program, as they were written", async () => {
    const sources = fileURLToPath(import.meta.resolve("../../agent/control/page/"));
    const page = await callControl(bed.socket("server"), "/");
    expect([page.status, page.mediaType]).toEqual([200, "text/html; charset=UTF-8"]);
    expect(page.body).toBe(readFileSync(`${sources}page.html`, "utf8"));
    const names = [...page.body.matchAll(/(?:src|href)="\/page\/([^"]+)"/g)].map(([, name]) =>
      name
    );
    expect(names.toSorted()).toEqual(
      readdirSync(sources).filter((name) => /\.(?:js|css)$/.test(name)).sort(),
    );
    let bytes = page.body.length;
    for (const name of names) {
      const { status, mediaType, body } = await callControl(bed.socket("server"), `/page/${name}`);
      const type = name?.endsWith(".css") ? "text/css" : "text/javascript";
      expect([name, status, mediaType]).toEqual([name, 200, `${type}; charset=utf-8`]);
      expect(body).toBe(readFileSync(`${sources}${name}`, "utf8"));
      bytes += body.length;
    }
    expect(bytes).toBeLessThan(PAGE_BYTES_MAX);
  });

  test("less than 2 % of the bytes cross the network, both ways", async () => {
    const data = bed.path("data");
    await makeRandomFiles(data, { count: 60, bytes: 512 * 1024 });
    const made = await bed.job("server", "backup", "filesystem", "--client", "web01", data);
    const total = made.bytes ?? 0;
    expect(total).toBe(60 * 512 * 1024);
    expect(made.fallback).toBe(null);
    expect(made.channels.network.bytes).toBeGreaterThan(0);
    expect(made.channels.network.bytes).toBeLessThan(total * 0.02);
    expect(made.channels.storage.bytes).toBeGreaterThan(total);
    const detail = await bed.get<BackupDetail>("server", `/v1/backups/${made.backup}`);
    // Published before the last messages, so its own count may be a little smaller.
    expect(detail.channels.storage.bytes).toBeGreaterThan(total);
    const target = ["--target", bed.path("data-restored")];
    const back = await bed.job("server", "restore", made.backup ?? "", ...target);
    expect(back.channels.network.bytes).toBeLessThan(total * 0.02);
    expect(back.channels.storage.bytes).toBeGreaterThan(total);
    // Both sides counted the same bytes.
    const view = (await bed.endedJobs("client")).at(-1);
    expect(view?.summary?.channels.storage.bytes).toBe(back.channels.storage.bytes);
  }, TIMEOUT_MS);
});
