// The part of a log that a base backup spans, and the backup that waits for it.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkerSession } from "../../../../agent/job/mod.ts";
import { awaitLog, backupRangeOf, segmentsOf } from "../../../../agent/server/await_log.ts";
import { LOG_LOOK_MS, LOG_WAIT_MS } from "../../../../agent/server/limits.ts";
import {
  receiveBackup,
  type ReceiveBackupOptions,
} from "../../../../agent/server/receive_backup.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { Vault, VaultReader, VaultWriter } from "../../../../agent/vault/mod.ts";
import { WalArchive } from "../../../../agent/wal/mod.ts";
import { orCancelled } from "../../../../transport/ground/cancellation.ts";
import { TcpMechanism } from "../../../../transport/tcp/mod.ts";
import { IDENTITY, runtime } from "../../transport/flow/flow_bed.ts";
import { failure } from "../../transport/connect/failure.ts";
import { type LinkBed, linkBed } from "../job/link_bed.ts";
import { makeSegment, NAME, packed, SEGMENT_BYTES, SYSTEM, textBytes } from "../wal/wal_fixture.ts";

const SAID = {
  type: "wal-range",
  system: SYSTEM,
  timeline: 1,
  startLsn: "1/300028",
  stopLsn: "1/300138",
  stopMs: 1_800_000_000_000,
  segmentBytes: SEGMENT_BYTES,
  archived: true,
} as const;

const CANCELLED = { code: "cancelled", message: "Cannot finish the job: cancelled" } as const;
const PLACE = { client: "web01", database: "pg" };
const BACKUP = "web01-20260101T000000Z-aaaaaa";

let folder: string;
let vault: Vault;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "await-log-"));
  vault = Vault.open({ directory: folder, ...runtime });
});

afterEach(() => {
  vault.close();
  rmSync(folder, { recursive: true });
});

function archive(): WalArchive {
  return WalArchive.open({ files: runtime.files, directory: folder, ...PLACE, system: SYSTEM });
}

describe("segmentsOf()", () => {
  const cases = [
    ["1/300028", "1/300138", [NAME]],
    // The end is the byte after the last one that is needed.
    ["1/300000", "1/400000", [NAME]],
    ["1/3FFFFF", "1/400001", [NAME, "000000010000000100000004"]],
    ["0/FFF00000", "1/100000", ["000000010000000000000FFF", "000000010000000100000000"]],
  ] as const;
  for (const [startLsn, stopLsn, names] of cases) {
    test(`names ${names.length} from ${startLsn} to ${stopLsn}`, () => {
      expect(segmentsOf(backupRangeOf({ ...SAID, startLsn, stopLsn }))).toEqual([...names]);
    });
  }
});

describe("backupRangeOf()", () => {
  const bad = [
    ["ends before it starts", { startLsn: "1/400000" }],
    ["is empty", { stopLsn: SAID.startLsn }],
    ["has segments of nothing", { segmentBytes: 0 }],
    ["has no timeline", { timeline: 0 }],
    ["spans more than any backup", { startLsn: "0/1", stopLsn: "FFFFFFFF/FFFFFFFF" }],
  ] as const;
  for (const [what, change] of bad) {
    test(`refuses a range that ${what}`, () => {
      expect(() => backupRangeOf({ ...SAID, ...change })).toThrow("found a log of");
    });
  }
});

describe("awaitLog()", () => {
  /** A session on a clock that moves when somebody sleeps on it. */
  function session(onSleep: () => void) {
    let nowMs = 0;
    const clock = {
      ...runtime.clock,
      monotonicMs: () => nowMs,
      sleep: (ms: number) => {
        nowMs += ms;
        onSleep();
        return Promise.resolve();
      },
    };
    return { runtime: { ...runtime, clock }, signal: new AbortController().signal };
  }

  test("ends as soon as every segment is there", async () => {
    let looks = 0;
    const waiting = session(() => looks += 1);
    const kept: Promise<unknown>[] = [];
    waiting.runtime.clock.sleep = async () => {
      looks += 1;
      kept.push(archive().store(NAME, packed(makeSegment())));
      await Promise.all(kept);
    };
    expect(await awaitLog(waiting, backupRangeOf(SAID), { vault: folder, ...PLACE })).toEqual([]);
    expect(looks).toBe(1);
  });

  test("names what is not there when the time is up", async () => {
    let looks = 0;
    const waiting = session(() => looks += 1);
    const missing = await awaitLog(waiting, backupRangeOf(SAID), { vault: folder, ...PLACE });
    expect(missing).toEqual([NAME]);
    expect(looks).toBe(LOG_WAIT_MS / LOG_LOOK_MS);
  });

  const unseen = backupRangeOf({ ...SAID, archived: false });

  test("is null for a cluster of which nothing comes here just before", async () => {
    const now = session(() => {});
    expect(await awaitLog(now, unseen, { vault: folder, ...PLACE })).toBe(null);
    await archive().store("00000002.history", packed(textBytes("1\t1/1\tx\n")));
    expect(await awaitLog(now, unseen, { vault: folder, ...PLACE })).toBe(null);
  });

  test("waits, whatever the client says, when the segment before the backup is here", async () => {
    const before = makeSegment({ address: 0x1_0020_0000n });
    await archive().store("000000010000000100000002", packed(before));
    const missing = await awaitLog(session(() => {}), unseen, { vault: folder, ...PLACE });
    expect(missing).toEqual([NAME]);
  });
});

describe("receiveBackup()", () => {
  type AwaitLog = NonNullable<ReceiveBackupOptions["awaitLog"]>;

  /** Receives a backup without records whose client says this of the log. */
  function receive(missing: readonly string[], archived = true) {
    return receiveOver(
      linkBed(1),
      (range) => Promise.resolve(range.archived ? missing : null),
      archived,
    );
  }

  async function receiveOver({ near, far }: LinkBed, awaitLog: AwaitLog, archived = true) {
    const task = { kind: "server-rebuild", identity: IDENTITY, steps: [], vault: folder } as const;
    const mechanism = () => new TcpMechanism(runtime.network);
    const parts = { runtime, task, network: mechanism(), storage: mechanism() };
    const session = new WorkerSession({ ...parts, post: () => {} });
    using writers = VaultWriter.open({ directory: folder, files: runtime.files });
    const writer = writers.begin({
      backup: BACKUP,
      ...PLACE,
      kind: "postgresql",
      level: "full",
      needs: [],
      paths: ["/pg"],
      ...EVERYTHING,
      startedMs: 0,
    });
    await near.send({ ...SAID, archived });
    await near.send({ type: "end", records: 0, warnings: 0, totals: { files: 0, bytes: 0 } });
    const received = await receiveBackup(session, {
      link: far,
      writer,
      parent: null,
      mustAsk: false,
      awaitLog,
    });
    using reader = VaultReader.open({ directory: folder, files: runtime.files });
    return {
      status: received.status,
      range: reader.range(BACKUP),
      skipped: vault.backup(BACKUP).skipped,
    };
  }

  test("is incomplete without its log in the archive, and says what it needs of it", async () => {
    const { status, range, skipped } = await receive([NAME]);
    expect(status).toBe("incomplete");
    expect(skipped).toEqual([{ path: NAME, reason: "wal_missing" }]);
    expect(range).toEqual(backupRangeOf(SAID));
  });

  const endings = [
    ["gives up", "cancelled", ({ near }: LinkBed) => near.fail(CANCELLED)],
    ["is gone", "reset", ({ pairs }: LinkBed) => pairs[0]?.[0].abort("killed")],
  ] as const;
  for (const [what, code, end] of endings) {
    test(`publishes nothing when the client ${what} while the log is awaited`, async () => {
      const bed = linkBed(1);
      const waiting = Promise.withResolvers<void>();
      const received = failure(() =>
        receiveOver(bed, (_, signal) => {
          waiting.resolve();
          return orCancelled(new Promise(() => {}), signal);
        })
      );
      await waiting.promise;
      await end(bed);
      expect((await received).code).toBe(code);
      expect(vault.backups()).toEqual([]);
    });
  }

  test("waits for no log that the cluster does not archive here", async () => {
    expect(await receive([NAME], false)).toMatchObject({ status: "ok", skipped: [] });
  });
});
