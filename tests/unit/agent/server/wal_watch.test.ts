// What status and metrics say of archived logs: counted beside other work, and only what changed.

import { rmSync, utimesSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { WalWatch } from "../../../../agent/server/wal_watch.ts";
import { segmentName, WalArchive } from "../../../../agent/wal/mod.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import { files, withFolder } from "../media/media_fixture.ts";
import { makeSegment, packed, SEGMENT_BYTES, SYSTEM, textBytes } from "../wal/wal_fixture.ts";

const WALL_MS = 1_700_000_100_000;

class Watched {
  monotonicMs = 0;
  stats = 0;
  readonly watch: WalWatch;
  readonly stopping = new AbortController();

  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    const clock = {
      monotonicMs: () => this.monotonicMs,
      wallMs: () => WALL_MS,
      yield: () => Promise.resolve(),
    };
    const counted = new Proxy(files, {
      get: (target, key: keyof Files) => {
        const call = target[key];
        if (typeof call !== "function") return call;
        if (key !== "stat") return call.bind(target);
        return (...parameters: Parameters<Files["stat"]>) => {
          this.stats++;
          return target.stat(...parameters);
        };
      },
    });
    this.watch = new WalWatch({ files: counted, directory: folder }, clock, this.stopping.signal);
  }

  /** What is shown after a count that began `afterMs` later, and the files looked at for it. */
  async look(afterMs: number) {
    this.monotonicMs += afterMs;
    this.stats = 0;
    this.watch.views();
    await this.watch.settled();
    const { stats } = this;
    return { views: this.watch.views(), stats };
  }
}

/** A segment of log 0 or 1, archived 100 s before the clock of the test. */
async function store(directory: string, index: number, timeline = 1): Promise<void> {
  const archive = WalArchive.open({
    files,
    directory,
    client: "web01",
    database: "pg",
    system: SYSTEM,
  });
  const name = segmentName(timeline, index, SEGMENT_BYTES);
  const address = BigInt(index) * BigInt(SEGMENT_BYTES);
  await archive.store(name, packed(makeSegment({ timeline, address })));
  const path = `${directory}/wal/web01/pg/${SYSTEM}/${name.slice(0, 16)}/${name}.zst`;
  utimesSync(path, new Date(WALL_MS - 100_000), new Date(WALL_MS - 100_000 + index));
}

describe("WalWatch.views()", () => {
  test("shows first, last, size and age of each log, and counts again after a while", async () => {
    await withFolder(async (folder) => {
      const watched = new Watched(folder);
      expect((await watched.look(0)).views).toEqual([]);
      for (const index of [4094, 4095, 4096]) await store(folder, index);
      const archive = { files, directory: folder, client: "web01", database: "pg", system: SYSTEM };
      const history = packed(textBytes("1\t0/1\tx\n"));
      await WalArchive.open(archive).store("00000002.history", history);
      expect((await watched.look(14_999)).views).toEqual([]);
      const { views } = await watched.look(1);
      expect(views).toEqual([{
        client: "web01",
        database: "pg",
        system: SYSTEM,
        files: 4,
        bytes: views[0]?.bytes ?? -1,
        first: segmentName(1, 4094, SEGMENT_BYTES),
        last: segmentName(1, 4096, SEGMENT_BYTES),
        newest: new Date(WALL_MS - 100_000 + 4096).toISOString(),
        newestAgeSeconds: (100_000 - 4096) / 1000,
      }]);
      expect(views[0]?.bytes).toBeGreaterThan(3 * 50);
    });
  });

  test("looks again only at folders that changed, and at the newest", async () => {
    await withFolder(async (folder) => {
      const old = [0, 1, 2, 3, 4, 5, 6, 7];
      for (const index of [...old, 4096]) await store(folder, index);
      const watched = new Watched(folder);
      // Two folders and nine files; then two folders and the file of the newest.
      expect((await watched.look(0)).stats).toBe(11);
      expect((await watched.look(20_000)).stats).toBe(3);
      rmSync(
        `${folder}/wal/web01/pg/${SYSTEM}/0000000100000000/${segmentName(1, 0, SEGMENT_BYTES)}.zst`,
      );
      const { stats, views } = await watched.look(20_000);
      expect(stats).toBe(10);
      expect(views[0]).toMatchObject({ files: 8, first: segmentName(1, 1, SEGMENT_BYTES) });
    });
  });

  test("shows what it had when nothing can be counted, and stops with the daemon", async () => {
    await withFolder(async (folder) => {
      await store(folder, 3);
      const watched = new Watched(folder);
      expect((await watched.look(0)).views.length).toBe(1);
      watched.stopping.abort();
      rmSync(folder, { recursive: true });
      expect((await watched.look(20_000)).views.length).toBe(1);
      const other = new Watched(`${folder}/gone`);
      expect((await other.look(0)).views).toEqual([]);
    });
  });
});
