// Faults on demand in one attachment: sees that the rules changed, and performs what they decide.
//
// The directors ask it around each access. A word on the first memory board (STATE.faults) carries
// the checksum of `faults.json`: `look` compares it with the one that is known, which is all that
// an array without faults costs.
//
// Invariants:
//  1. `faulty` never becomes false again: its user keeps copies of what it wrote since then, and
//     must not be told to go on without.
//  2. Rules that `look` did not take over do nothing yet: a caller that is told that the volume
//     retains, and writes, writes without faults.
//  3. A delay has a limit; that of an access under a board's lock is shorter than others wait.

import { AgentError } from "../transport/ground/error.ts";
import { SystemError } from "../transport/runtime/files.ts";
import type { Clock } from "../transport/runtime/runtime.ts";
import {
  type ArrayDirectory,
  type ArrayParts,
  onArrayFiles,
  readWhole,
} from "./array_directory.ts";
import { STATE } from "./board_layout.ts";
import type { BoardWords } from "./board_words.ts";
import { FaultCounts } from "./fault_counts.ts";
import { flipBit, recordsIn, tear } from "./fault_effect.ts";
import { decodeFaultFile, type FaultFile, NO_FAULTS } from "./fault_file.ts";
import { type FaultAccess, FaultPlan, type FiredRule } from "./fault_plan.ts";
import type { FaultRule } from "./fault_rule.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { sampleLatency } from "./latency_distribution.ts";
import {
  MAX_FAULT_FILE_BYTES,
  MAX_FAULT_LATENCY_MS,
  MAX_FAULT_LATENCY_UNDER_LOCK_MS,
  RECORD_BYTES,
} from "./limits.ts";
import { RecordHistory } from "./record_history.ts";

export interface FaultInjectorOptions {
  readonly directory: ArrayDirectory;
  readonly geometry: ArrayGeometry;
  readonly hostName: string;
  /** Of the first memory board. */
  readonly words: BoardWords;
}

/** A write that is about to happen. */
export interface FaultyWrite {
  readonly image: Uint8Array;
  /** Records of `image` that are written; default all. */
  readonly records?: readonly number[];
  /** Fills with what stands there now. */
  readonly fetch: (into: Uint8Array) => void;
  /** Writes the records of an image. */
  readonly store: (image: Uint8Array) => void;
}

export class FaultInjector {
  readonly #options: FaultInjectorOptions;
  readonly #parts: ArrayParts;
  readonly #clock: Clock;
  readonly #counts: FaultCounts;
  readonly #history = new RecordHistory();
  #seen: number;
  #plan: FaultPlan | null = null;
  #faulty = false;

  /** @throws AgentError `usage` when `faults.json` is wrong */
  constructor(options: FaultInjectorOptions, parts: ArrayParts) {
    this.#options = options;
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#counts = new FaultCounts(options.directory.firedPath, parts);
    this.#seen = this.#word();
    this.#load();
  }

  /** True when rules were seen since the attachment. */
  get faulty(): boolean {
    return this.#faulty;
  }

  /** False from the moment on at which rules were switched on, for good. */
  retains(): boolean {
    this.#faulty ||= this.#word() !== this.#seen;
    return !this.#faulty;
  }

  /** Takes over rules that changed. @throws AgentError `usage` when they are wrong */
  look(): void {
    const word = this.#word();
    if (word === this.#seen) return;
    this.#faulty = true;
    this.#load();
    this.#seen = word;
  }

  /**
   * Performs a read with its faults.
   * @param records of `into` that matter; default all
   * @throws AgentError `volume` when it is to fail
   */
  read(
    access: FaultAccess,
    into: Uint8Array,
    fetch: () => void,
    records?: readonly number[],
  ): void {
    const plan = this.#plan;
    if (plan === null) return fetch();
    const fired = this.#begin(plan, access);
    fetch();
    if (plan.remembers(access)) this.#makeStale(access, into, fired);
    for (const { rule, random } of fired) {
      if (rule.kind !== "flip" || !this.#takes(rule)) continue;
      flipBit(into, { random, records: records ?? recordsIn(into.length) });
    }
  }

  /** Performs a write with its faults. @throws AgentError `volume` when it is to fail */
  write(access: FaultAccess, write: FaultyWrite): void {
    const plan = this.#plan;
    if (plan === null) return write.store(write.image);
    let image = write.image;
    const records = write.records ?? recordsIn(image.length);
    for (const { rule, random } of this.#begin(plan, access)) {
      const strikes = rule.kind === "lost" || rule.kind === "torn" || rule.kind === "flip";
      if (!strikes || !this.#takes(rule)) continue;
      if (rule.kind === "lost") return;
      if (rule.kind === "torn") {
        const current = new Uint8Array(image.length);
        write.fetch(current);
        image = tear(image, current, { records, random });
      } else {
        image = image.slice();
        flipBit(image, { records, random });
      }
    }
    write.store(image);
  }

  close(): void {
    this.#counts.close();
  }

  #word(): number {
    return this.#options.words.state(STATE.faults);
  }

  #load(): void {
    const { directory, geometry, hostName } = this.#options;
    const { rules } = onArrayFiles(
      directory.path,
      () => readFaultFile(this.#parts, directory, geometry),
    );
    const seed = new DataView(this.#parts.random.bytes(4).buffer).getUint32(0);
    this.#plan = rules.length === 0
      ? null
      : new FaultPlan(rules, { hostName, boards: geometry.boards, seed });
    this.#faulty ||= rules.length > 0;
  }

  #takes(rule: FaultRule): boolean {
    return onArrayFiles(this.#options.directory.path, () => this.#counts.take(rule));
  }

  /** Waits and fails as the rules say. @returns the rules that fire */
  #begin(plan: FaultPlan, access: FaultAccess): readonly FiredRule[] {
    const fired = plan.decide(access);
    let delayMs = 0;
    for (const { rule, random } of fired) {
      if (rule.latency === null || !this.#takes(rule)) continue;
      delayMs += sampleLatency(rule.latency, random);
    }
    const underLock = access.operation === "stage" || access.operation === "destage";
    const limitMs = underLock ? MAX_FAULT_LATENCY_UNDER_LOCK_MS : MAX_FAULT_LATENCY_MS;
    if (delayMs > 0) this.#clock.doze(Math.min(delayMs, limitMs));
    for (const { rule } of fired) {
      const found = foundBy(rule.kind, rule.board);
      if (found !== null && this.#takes(rule)) throw this.#failure(access, found, rule.id);
    }
    return fired;
  }

  #failure({ operation, device, offsetBytes }: FaultAccess, found: string, id: number): AgentError {
    return new AgentError(
      "volume",
      `Cannot ${operation} volume "${device.name}" at ${offsetBytes}: ${found} ` +
        `(injected by rule ${id}), need a working device`,
      { hint: `Run: agent array fault ${this.#options.directory.path} clear ${id}` },
    );
  }

  #makeStale(access: FaultAccess, into: Uint8Array, fired: readonly FiredRule[]): void {
    const { operation, device, offsetBytes } = access;
    const stale: { readonly at: number; readonly content: Uint8Array }[] = [];
    for (let at = 0; at < into.length; at += RECORD_BYTES) {
      const name = `${operation} ${device.name} ${offsetBytes + at}`;
      const content = this.#history.note(name, into.subarray(at, at + RECORD_BYTES));
      if (content !== null) stale.push({ at, content });
    }
    if (stale.length === 0) return;
    const rule = fired.find(({ rule }) => rule.kind === "stale")?.rule;
    if (rule === undefined || !this.#takes(rule)) return;
    for (const { at, content } of stale) into.set(content, at);
  }
}

/** The rules of an array; none when the file is not there. @throws AgentError `usage` */
export function readFaultFile(
  { files }: Pick<ArrayParts, "files">,
  directory: ArrayDirectory,
  geometry: ArrayGeometry,
): FaultFile {
  const path = directory.faultsPath;
  try {
    return decodeFaultFile(readWhole(files, path, MAX_FAULT_FILE_BYTES + 1), geometry, path);
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return NO_FAULTS;
    throw error;
  }
}

/** What an access that fails by such a rule finds; null when it does not fail. */
function foundBy(kind: string, board: number | null): string | null {
  if (kind === "io-error") return "I/O error";
  if (kind === "device-gone") return "the device is gone";
  return kind === "board-gone" ? `memory board ${board} is gone` : null;
}
