// A verification of archived logs as the server's worker runs it: what it reports and finds.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { AgentError } from "../../transport/ground/error.ts";
import type { WalArchiveView } from "../../agent/control/mod.ts";
import {
  type FromWorker,
  type ServerVerifyWalTask,
  type WorkerResult,
  WorkerSession,
} from "../../agent/job/mod.ts";
import { runServerVerifyWal } from "../../agent/server/mod.ts";
import { segmentName, WalArchive } from "../../agent/wal/mod.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import { files, withFolder } from "../unit/agent/media/media_fixture.ts";
import { openVault, publish } from "../unit/agent/vault/vault_fixture.ts";
import {
  makeSegment,
  packed,
  SEGMENT_BYTES,
  SYSTEM,
  textBytes,
} from "../unit/agent/wal/wal_fixture.ts";
import { IDENTITY, runtime } from "../unit/transport/flow/flow_bed.ts";

interface Verified {
  readonly result: WorkerResult | null;
  readonly error: AgentError | null;
  readonly archives: readonly WalArchiveView[];
}

async function verify(vault: string, fields: Partial<ServerVerifyWalTask> = {}): Promise<Verified> {
  const task: ServerVerifyWalTask = {
    kind: "server-verify-wal",
    identity: IDENTITY,
    steps: [],
    vault,
    owner: { client: null, database: null },
    data: false,
    ...fields,
  };
  const messages: FromWorker[] = [];
  const mechanism = () => new TcpMechanism(runtime.network);
  await using session = new WorkerSession({
    runtime,
    task,
    network: mechanism(),
    storage: mechanism(),
    post: (message) => void messages.push(message),
  });
  let result: WorkerResult | null = null;
  let error: AgentError | null = null;
  try {
    result = await runServerVerifyWal(session, task);
  } catch (thrown) {
    if (!(thrown instanceof AgentError)) throw thrown;
    error = thrown;
  }
  const archives = messages.flatMap((one) =>
    one.type === "report" && one.body.type === "wal-archives" ? one.body.items : []
  );
  return { result, error, archives };
}

const name = (segment: number, timeline = 1) => segmentName(timeline, segment, SEGMENT_BYTES);
const lsn = (segment: number) => BigInt(segment) * BigInt(SEGMENT_BYTES);

function archiveOf(directory: string, database = "pg"): WalArchive {
  return WalArchive.open({ files, directory, client: "web01", database, system: SYSTEM });
}

async function store(directory: string, segments: readonly number[], timeline = 1): Promise<void> {
  for (const segment of segments) {
    const content = makeSegment({ timeline, address: lsn(segment) });
    await archiveOf(directory).store(name(segment, timeline), packed(content));
  }
}

function fill(directory: string, archived = true): void {
  openVault(directory).close();
  publish(directory, {
    label: { backup: "b1", kind: "postgresql", database: "pg", paths: ["/pg"] },
    range: {
      archived,
      system: SYSTEM,
      timeline: 1,
      startLsn: lsn(3) + 40n,
      stopLsn: lsn(3) + 400n,
      stopMs: 1_700_000_000_000,
      segmentBytes: SEGMENT_BYTES,
    },
  });
}

describe("runServerVerifyWal()", () => {
  test("shows ranges, and up to where a backup can be recovered", async () => {
    await withFolder(async (folder) => {
      fill(folder);
      await store(folder, [1, 3, 4, 5]);
      const { result, error, archives } = await verify(folder, { data: true });
      expect(error).toBe(null);
      expect(result).toMatchObject({ status: "ok", files: 4 });
      expect(archives).toEqual([{
        type: "archive",
        client: "web01",
        database: "pg",
        system: SYSTEM,
        files: 4,
        bytes: result?.bytes ?? -1,
        timelines: [{
          timeline: 1,
          segments: 4,
          ranges: [
            { first: name(1), last: name(1), segments: 1 },
            { first: name(3), last: name(5), segments: 3 },
          ],
          gaps: 1,
        }],
        // The gap lies before the backup: no fault.
        backups: [{
          backup: "b1",
          timeline: 1,
          reaches: [{ timeline: 1, endLsn: "0/600000", missing: null }],
        }],
        findings: [],
      }]);
    });
  });

  test("finds the gap that a backup meets, and the one on the way to another timeline", async () => {
    await withFolder(async (folder) => {
      fill(folder);
      await archiveOf(folder).store("00000002.history", packed(textBytes("1\t0/600010\tx\n")));
      await store(folder, [3, 4, 5]);
      await store(folder, [6, 8], 2);
      const { error, archives: [archive] } = await verify(folder);
      expect(error?.code).toBe("damaged");
      expect(error?.message).toContain(name(7, 2));
      expect(archive?.backups[0]?.reaches).toEqual([
        { timeline: 1, endLsn: "0/600000", missing: null },
        { timeline: 2, endLsn: "0/700000", missing: name(7, 2) },
      ]);
      await store(folder, [7], 2);
      expect((await verify(folder)).error).toBe(null);
      rmSync(`${folder}/wal/web01/pg/${SYSTEM}/00000002.history.zst`);
      const unknown = await verify(folder);
      expect(unknown.error?.code).toBe("damaged");
      expect(unknown.archives[0]?.findings[0]).toContain("00000002.history is missing");
    });
  });

  test("finds damage by reading, and counts what is damaged as missing", async () => {
    await withFolder(async (folder) => {
      fill(folder);
      await store(folder, [3, 4, 5, 6]);
      const path = `${folder}/wal/web01/pg/${SYSTEM}/${name(5).slice(0, 16)}/${name(5)}.zst`;
      const bytes = readFileSync(path);
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
      writeFileSync(path, bytes);
      expect((await verify(folder)).error).toBe(null);
      const { error, archives: [archive] } = await verify(folder, { data: true });
      expect(error?.code).toBe("damaged");
      expect(archive?.findings[0]).toContain(`${name(5)} is damaged`);
      expect(archive?.backups[0]?.reaches)
        .toEqual([{ timeline: 1, endLsn: "0/500000", missing: name(5) }]);
      // A file under another one's name is whole, and wrong.
      writeFileSync(path, readFileSync(path.replace(`${name(5)}.zst`, `${name(6)}.zst`)));
      const moved = await verify(folder, { data: true });
      expect(moved.archives[0]?.findings[0]).toContain(`${name(5)} is damaged`);
    });
  });

  test("names a backup whose archive is gone, with and without another one", async () => {
    await withFolder(async (folder) => {
      fill(folder);
      for (const before of [[], ["other"]]) {
        for (const database of before) {
          const history = packed(textBytes("1\t0/1\tx\n"));
          await archiveOf(folder, database).store("00000002.history", history);
        }
        const { error, archives } = await verify(folder, { data: true });
        expect(error?.code).toBe("damaged");
        expect(error?.message).toContain("backup b1");
        expect(archives.map(({ database }) => database)).toEqual([...before, "pg"]);
        expect(archives.at(-1)).toMatchObject({ system: SYSTEM, files: 0 });
        expect(archives.at(-1)?.backups[0]?.reaches)
          .toEqual([{ timeline: 1, endLsn: "0/300190", missing: name(3) }]);
      }
      // A folder that lost its files is no better.
      await store(folder, [2]);
      expect((await verify(folder)).error?.code).toBe("damaged");
      await store(folder, [3]);
      expect((await verify(folder)).error).toBe(null);
    });
  });

  test("looks at the archives that are named, and says when there is none", async () => {
    await withFolder(async (folder) => {
      fill(folder, false);
      expect((await verify(folder)).error?.code).toBe("not_found");
      await store(folder, [3]);
      await archiveOf(folder, "other").store("00000002.history", packed(textBytes("1\t0/1\tx\n")));
      const of = async (client: string | null, database: string | null) =>
        (await verify(folder, { owner: { client, database } })).archives.map((one) => one.database);
      expect(await of(null, null)).toEqual(["other", "pg"]);
      expect(await of("web01", "pg")).toEqual(["pg"]);
      expect((await verify(folder, { owner: { client: "x", database: null } })).error?.code)
        .toBe("not_found");
    });
  });
});
