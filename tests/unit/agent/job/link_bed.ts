// Two ends of a job's link over in-memory connections, one to three of them.

import { JobLink } from "../../../../agent/job/link.ts";
import type { LaneOptions } from "../../../../agent/job/storage_lane.ts";
import type { DataRecord, RestoreRecord } from "../../../../agent/record.ts";
import type { Address } from "../../../../transport/conn.ts";
import { type MemoryConn, memoryPair } from "../../../../transport/memory/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import type { Clock } from "../../../../transport/runtime/runtime.ts";

export const { clock } = await currentRuntime();

const NEVER = new AbortController().signal;

const at = (port: number): Address => ({ family: "AF_MEMORY", address: "test", port });

export interface LinkBed {
  readonly near: JobLink;
  readonly far: JobLink;
  /** Near and far end of each connection: control, errors, data. */
  readonly pairs: readonly (readonly [MemoryConn, MemoryConn])[];
}

export interface LinkBedOptions {
  /** What the ends do when the third connection, which carries records, dies. */
  readonly lanes?: readonly [Partial<LaneOptions>, Partial<LaneOptions>];
  readonly capacityBytes?: number;
  readonly clock?: Clock;
  /** Messages of the network are numbered. */
  readonly numbered?: boolean;
  readonly signal?: AbortSignal;
}

/** `count` connections: 1 is control, 2 adds errors, 3 adds one for the records. */
export function linkBed(count: 1 | 2 | 3, options: LinkBedOptions = {}): LinkBed {
  const { signal, lanes, numbered = false, ...rest } = options;
  const pairs = Array.from({ length: count }, (_, index) => memoryPair(at(index), at(9), rest));
  const end = (side: 0 | 1): JobLink => {
    const [control, errors, data] = pairs.map((pair) => pair[side]);
    if (control === undefined) throw new Error("one connection at least");
    const waits = { clock: options.clock ?? clock, signal: signal ?? NEVER, numbered };
    const link = new JobLink({ control, errors: errors ?? null }, waits);
    const near = side === 0;
    if (data !== undefined) {
      link.attachStorage(data, {
        side: near ? "client" : "server",
        direction: near ? "send" : "receive",
        mayFallBack: true,
        lost: NEVER,
        onFallback: () => {},
        ...lanes?.[side],
      });
    }
    return link;
  };
  return { near: end(0), far: end(1), pairs };
}

export function dataRecord(sequence: number, change: Partial<DataRecord> = {}): DataRecord {
  return {
    sequence,
    frame: Uint8Array.of(1, 2, sequence & 0xff),
    tarBytes: 512,
    rows: Uint8Array.of(9),
    rowCount: 1,
    contentBytes: 100,
    ...change,
  };
}

export function restoreRecord(
  sequence: number,
  change: Partial<RestoreRecord> = {},
): RestoreRecord {
  const pieces = [{ offset: 0, length: 512 }];
  return { sequence, frame: Uint8Array.of(7), tarBytes: 1024, pieces, ...change };
}
