// Fetches the segments of a log that a recovery will ask for next: PostgreSQL replays one while the
// following are on their way. Begins when two segments were asked for one after the other.
//
// Invariants: only whole files that the archive sent are kept, each is handed out once and in full;
// that one is absent, or cannot be had, is never remembered; few are held, by count and by bytes.

import { readZstdHeader } from "../media/mod.ts";
import {
  isSegmentOf,
  isSegmentSize,
  parseWalFileName,
  segmentIndex,
  segmentName,
} from "../wal/mod.ts";
import { WAL_AHEAD_BYTES_MAX, WAL_AHEAD_MAX } from "./limits.ts";
import type { GetAnswer, Log } from "./log_link.ts";

export class FetchAhead {
  readonly #log: Pick<Log, "get">;
  /** The cluster whose segments these are, as it was named. */
  #system: string | null = null;
  readonly #frames = new Map<string, Uint8Array>();
  /** Names to fetch, in order. */
  #next: string[] = [];
  /** What a recovery would ask for after the last segment. */
  #following: string | null = null;

  constructor(log: Pick<Log, "get">) {
    this.#log = log;
  }

  /** Is there anything that time makes useless? */
  get holds(): boolean {
    return this.#frames.size > 0;
  }

  /** A file of the log. @throws AgentError when the link ended */
  async get(system: string | null, name: string): Promise<GetAnswer> {
    if (system !== this.#system) this.forget();
    this.#system = system;
    const frame = this.#frames.get(name);
    this.#frames.delete(name);
    const answer = frame === undefined
      ? await this.#log.get(system, name)
      : { type: "file", frame } as const;
    if (answer.type === "file") this.#plan(name, answer.frame);
    return answer;
  }

  /** Fetches one file that may be asked for. @returns false when there is none to fetch */
  async step(): Promise<boolean> {
    const heldBytes = [...this.#frames.values()].reduce((sum, { length }) => sum + length, 0);
    const name = heldBytes < WAL_AHEAD_BYTES_MAX ? this.#next.shift() : undefined;
    if (name === undefined) return false;
    const answer = await this.#log.get(this.#system, name);
    if (answer.type === "file") this.#frames.set(name, answer.frame);
    else this.#next = []; // The end of the log, or a reason that whoever asks is told.
    return true;
  }

  /** Gives up what is held. */
  forget(): void {
    this.#frames.clear();
    this.#next = [];
    this.#following = null;
  }

  /** After a segment come those that follow it; what else was on its way is of no use any more. */
  #plan(name: string, frame: Uint8Array): void {
    const wanted = following(name, frame);
    const first = wanted[0];
    if (first === undefined) return;
    const inOrder = name === this.#following;
    this.#following = first;
    for (const held of this.#frames.keys()) {
      if (!wanted.includes(held)) this.#frames.delete(held);
    }
    this.#next = inOrder ? wanted.filter((one) => !this.#frames.has(one)) : [];
  }
}

/** Names of the segments after that one, on its timeline; none after what is no segment. Pure. */
function following(name: string, frame: Uint8Array): string[] {
  const file = parseWalFileName(name);
  const segmentBytes = readZstdHeader(frame).contentBytes;
  if (file?.type !== "segment" || !isSegmentSize(segmentBytes)) return [];
  if (!isSegmentOf(file, segmentBytes)) return [];
  const index = segmentIndex(file, segmentBytes);
  return Array.from(
    { length: WAL_AHEAD_MAX },
    (_, at) => segmentName(file.timeline, index + 1 + at, segmentBytes),
  );
}
