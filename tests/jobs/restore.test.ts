// Restores that look at their target first: dry runs and restores of what changed, both sides of
// the job with everything between them.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerFilesystemTask } from "../../agent/job/mod.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { JobBed } from "./job_bed.ts";

const KIB = 1024;
const BACKUP = "web01-20260101T000000Z-aaaaaa";

async function open(): Promise<JobBed> {
  const bed = await JobBed.open();
  mkdirSync(bed.path("data"));
  bed.writeFile("data/large", 3000 * KIB);
  bed.writeFile("data/small", 3 * KIB);
  writeFileSync(bed.path("data/text"), "text");
  const paths = [bed.path("data")];
  await bed.run({ type: "backup", backup: BACKUP, paths, ...EVERYTHING, full: true });
  return bed;
}

type Restore = Extract<ServerFilesystemTask["action"], { type: "restore" }>;

function restore(bed: JobBed, how: Partial<Restore>) {
  return bed.run({
    type: "restore",
    backup: BACKUP,
    target: "/",
    include: [],
    overwrite: "changed",
    dryRun: false,
    ...how,
  });
}

describe("a restore that looks at its target first", () => {
  test("says in a dry run what it would do, and moves and makes nothing", async () => {
    await using bed = await open();
    const target = bed.path("new");
    const [server, client] = await restore(bed, { target, overwrite: "refuse", dryRun: true });
    expect([server.error, client.error]).toEqual([null, null]);
    const bytes = 3003 * KIB + 4;
    expect(server.result).toMatchObject({ status: "ok", files: 4, bytes, backup: BACKUP });
    expect(server.result?.verdicts?.make).toEqual({ files: 4, bytes });
    const items = server.reports.flatMap((body) => body.type === "restore" ? body.items : []);
    expect(items.map(({ action, path, kind }) => [action, path, kind])).toEqual([
      ["make", bed.path("data"), "directory"],
      ["make", bed.path("data/large"), "file"],
      ["make", bed.path("data/small"), "file"],
      ["make", bed.path("data/text"), "file"],
    ]);
    expect(existsSync(target)).toBe(false);
    expect(server.channels.storage + server.channels.network).toBeLessThan(64 * KIB);
  });

  test("moves in place what differs, and sets a mode without the content", async () => {
    await using bed = await open();
    const inode = lstatSync(bed.path("data/large")).ino;
    chmodSync(bed.path("data/large"), 0o751);
    writeFileSync(bed.path("data/text"), "other");
    const [dry] = await restore(bed, { dryRun: true });
    expect(lstatSync(bed.path("data/large")).mode & 0o777).toBe(0o751);
    expect(readFileSync(bed.path("data/text"), "utf8")).toBe("other");
    const [server, client] = await restore(bed, {});
    expect([server.error, client.error]).toEqual([null, null]);
    expect(server.result).toMatchObject({ status: "ok", files: 1, bytes: 4 });
    expect(server.result?.verdicts).toEqual(dry.result?.verdicts);
    expect(server.result?.verdicts).toMatchObject({
      replace: { files: 1, bytes: 4 },
      attributes: { files: 1, bytes: 3000 * KIB },
      leave: { files: 2, bytes: 3 * KIB },
    });
    const { ino, mode } = lstatSync(bed.path("data/large"));
    expect([ino, mode & 0o777]).toEqual([inode, 0o644]);
    expect(readFileSync(bed.path("data/text"), "utf8")).toBe("text");
  });

  test("moves nothing when nothing differs", async () => {
    await using bed = await open();
    const [server, client] = await restore(bed, {});
    expect([server.error, client.error]).toEqual([null, null]);
    expect(server.result).toMatchObject({ files: 0, bytes: 0 });
    expect(server.channels.storage + server.channels.network).toBeLessThan(64 * KIB);
  });

  test("ends on both sides with the reason when the target is refused", async () => {
    await using bed = await open();
    const [server, client] = await restore(bed, { overwrite: "refuse", dryRun: true });
    for (const { error } of [server, client]) {
      expect(error?.message).toContain('Cannot restore to "/": found files in it');
    }
  });

  test("goes on over the network when the storage dies while it looks", async () => {
    await using bed = await open();
    const [medium] = bed.stp.media;
    const [, client] = bed.stp.paths;
    if (medium !== undefined) medium.onWrite = () => void (client.cut = true);
    writeFileSync(bed.path("data/large"), "broken");
    const ends = await restore(bed, {});
    expect(ends.map(({ error }) => error)).toEqual([null, null]);
    expect(ends[0].result).toMatchObject({ status: "ok", bytes: 3000 * KIB });
    expect(ends[0].fallback).not.toBe(null);
  }, 30_000);
});
