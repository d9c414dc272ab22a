// Backups and restores by programs, as a job runs them, without the job.

import { CommandRestorer, produceCommand } from "../../../../../agent/application/mod.ts";
import type { DataRecord } from "../../../../../agent/record.ts";
import { currentRuntime } from "../../../../../transport/runtime/mod.ts";
import { compressed, decompressed } from "../fixture.ts";

export const { process: system, clock, files } = await currentRuntime();
export const FRAME_BYTES = 16 * 1024;
/** What fits a part: the frame without its header and padding. */
export const PART_BYTES = FRAME_BYTES - 4096;

export interface RunOptions {
  /** For a shell. */
  readonly script: string;
  readonly signal: AbortSignal;
  readonly streams?: number;
  /** Directory of the named pipes; without it, standard output and input. */
  readonly directory?: string;
  readonly openWithinMs?: number;
}

function optionsOf({ script, signal, streams = 1, directory, openWithinMs = 20_000 }: RunOptions) {
  return {
    process: system,
    clock,
    files,
    environment: {},
    name: "erp",
    command: ["sh", "-c", script],
    streams,
    pipes: directory === undefined ? null : { directory, owner: null, openWithinMs },
    signal,
  };
}

/** All records of what the script writes, as a job takes them. */
export async function backUp(run: RunOptions): Promise<DataRecord[]> {
  const { producer, ready, end } = produceCommand({
    ...optionsOf(run),
    owner: system.user,
    frameBytes: FRAME_BYTES,
  });
  try {
    const records: DataRecord[] = [];
    for (let next = producer.next(); next.done !== true; next = producer.next()) {
      if (next.value === null) await ready();
      else records.push(compressed(next.value));
    }
    return records;
  } finally {
    await end();
  }
}

/** What takes records of a backup to the script. */
export function consumerOf(run: RunOptions): CommandRestorer {
  return new CommandRestorer(optionsOf(run));
}

/** Streams are given to their programs as they take them, and end as soon as they are whole. */
export async function restore(
  records: readonly DataRecord[],
  run: RunOptions,
  onSettled: () => void = () => {},
): Promise<void> {
  const consumer = consumerOf(run);
  const { streams = 1 } = run;
  try {
    const taking: Promise<void>[] = [];
    for (const { sequence, frame, tarBytes } of records) {
      const pieces = [{ offset: 0, length: tarBytes }];
      const stream = consumer.feed(decompressed({ sequence, frame, tarBytes, pieces }));
      if (streams > 1) taking.push(consumer.taken(stream));
      else await consumer.settle();
      onSettled();
    }
    consumer.finish();
    if (streams === 1) return await consumer.settle();
    const ends = Array.from({ length: streams }, async (_, index) => {
      await consumer.taken(index);
      await consumer.endStream(index);
    });
    await Promise.all([...taking, ...ends]);
  } finally {
    await consumer.end();
  }
}
