// The real code of both workers that carry a log, and a real vault in a folder that goes with it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { carryWal } from "../../agent/client/carry_wal.ts";
import {
  type EncryptionPart,
  type FromWorker,
  type WalAction,
  type WalAnswer,
  WorkerSession,
  type WorkerTask,
} from "../../agent/job/mod.ts";
import { decompressFrame } from "../../agent/media/mod.ts";
import { archiveWal } from "../../agent/server/archive_wal.ts";
import { Vault } from "../../agent/vault/mod.ts";
import { WAL_VERSION } from "../../transport/flow/mod.ts";
import type { Clock } from "../../transport/mod.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import { linkBed } from "../unit/agent/job/link_bed.ts";
import { makeSegment, NAME, SYSTEM } from "../unit/agent/wal/wal_fixture.ts";
import { IDENTITY, runtime } from "../unit/transport/flow/flow_bed.ts";

/** A segment, and what asks to keep it and to have it back. */
export const SEGMENT = makeSegment();
export const PUSH = { type: "push", system: SYSTEM, name: NAME, bytes: SEGMENT } as const;
export const GET = { type: "get", system: SYSTEM, name: NAME } as const;

/** Content of a frame of the segment's length. */
export function unpacked(frame: Uint8Array): Uint8Array {
  return decompressFrame(frame, SEGMENT.length);
}

const PLAIN: EncryptionPart = { recipients: [], identityFile: null };

export interface ArchiveOptions {
  readonly encryption?: EncryptionPart;
  /** What the client's worker goes by. */
  readonly clock?: Clock;
  /** Version of the job protocol. */
  readonly version?: number;
}

export class LogBed implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "archive-wal-"));
  readonly #vault = Vault.open({ directory: this.folder, ...runtime });

  /** A path below the folder. */
  path(...names: readonly string[]): string {
    return join(this.folder, ...names);
  }

  /** Where the archive has a file. */
  keptAt(name: string): string {
    return this.path("wal", "web01", "pg", SYSTEM, name.slice(0, 16), `${name}.zst`);
  }

  /** Both workers at work; `ask` asks the client's. */
  archive({ encryption = PLAIN, clock, version = WAL_VERSION }: ArchiveOptions = {}) {
    const { near, far, pairs } = linkBed(1);
    const waiting = new Map<number, (answer: WalAnswer) => void>();
    const client = this.#session((message) => {
      if (message.type === "wal") waiting.get(message.id)?.(message.answer);
    }, clock);
    const server = this.#session(() => {});
    const place = { vault: this.folder, client: "web01", database: "pg" };
    const served = far.receive().then(() => archiveWal(server, far, place));
    const how = { database: "pg", data: this.path("data"), level: 1 };
    const carried = carryWal(client, near, { ...how, encryption, version });
    let lastId = 0;
    const ask = (action: WalAction): Promise<WalAnswer> => {
      const id = lastId += 1;
      const answer = new Promise<WalAnswer>((resolve) => waiting.set(id, resolve));
      client.walRequests.add({ id, action });
      return answer;
    };
    const end = async () => {
      for (const conn of pairs.flat()) conn.abort("the test is over");
      await Promise.allSettled([served, carried]);
    };
    return { ask, served, carried, pairs, end };
  }

  [Symbol.dispose](): void {
    this.#vault.close();
    rmSync(this.folder, { recursive: true });
  }

  #session(post: (message: FromWorker) => void, clock: Clock = runtime.clock): WorkerSession {
    const task: WorkerTask = {
      kind: "server-rebuild",
      identity: IDENTITY,
      steps: [],
      vault: this.folder,
    };
    const mechanism = () => new TcpMechanism(runtime.network);
    const ways = { network: mechanism(), storage: mechanism() };
    return new WorkerSession({ runtime: { ...runtime, clock }, task, ...ways, post });
  }
}
