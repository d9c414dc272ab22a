// Which rules fire for an access: their scope, then chance by each rule's own stream. Pure.
//
// Invariants: a rule's choices follow from its seed, its id, the host's name and the accesses in
// its scope, so that a run is repeated by repeating those. Rules fire in the order in which their
// effects are performed: an access waits first, then fails, then loses or damages data.

import { crc32 } from "../transport/ground/crc32.ts";
import { FaultRandom } from "./fault_random.ts";
import type { FaultKind, FaultOperation, FaultRule } from "./fault_rule.ts";
import type { DeviceGeometry } from "./geometry.ts";
import { CYLINDER_BYTES, TRACK_BYTES } from "./limits.ts";

/** What is about to happen. */
export interface FaultAccess {
  readonly operation: FaultOperation;
  readonly device: DeviceGeometry;
  readonly offsetBytes: number;
  readonly bytes: number;
}

/** A rule that fires, and the stream from which its effect draws. */
export interface FiredRule {
  readonly rule: FaultRule;
  readonly random: FaultRandom;
}

export interface FaultPlanOptions {
  readonly hostName: string;
  /** Memory boards of the array. */
  readonly boards: number;
  /** For rules without one. */
  readonly seed: number;
}

const ORDER: readonly FaultKind[] = [
  "latency",
  "device-gone",
  "board-gone",
  "io-error",
  "lost",
  "stale",
  "torn",
  "flip",
];

export class FaultPlan {
  readonly #boards: number;
  readonly #rules: readonly FiredRule[];

  constructor(rules: readonly FaultRule[], options: FaultPlanOptions) {
    const { hostName, seed, boards } = options;
    this.#boards = boards;
    this.#rules = rules
      .filter(({ host }) => host === null || host === hostName)
      .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
      .map((rule) => {
        const text = `${rule.seed ?? seed} ${rule.id} ${hostName}`;
        return { rule, random: new FaultRandom(crc32(new TextEncoder().encode(text))) };
      });
  }

  /** The rules that fire for `access`. */
  decide(access: FaultAccess): readonly FiredRule[] {
    return this.#rules.filter(({ rule, random }) =>
      this.#isInScope(rule, access) && (rule.probability === 1 || random.next() < rule.probability)
    );
  }

  /** True when older content of what `access` reads may be asked for, now or later. */
  remembers(access: FaultAccess): boolean {
    return this.#rules.some(({ rule }) => rule.kind === "stale" && this.#isInScope(rule, access));
  }

  #isInScope(rule: FaultRule, access: FaultAccess): boolean {
    const { device, offsetBytes, bytes } = access;
    if (!rule.operations.includes(access.operation)) return false;
    if (rule.device !== null && rule.device !== device.name) return false;
    const lastByte = offsetBytes + bytes - 1;
    if (rule.tracks !== null) {
      if (Math.floor(lastByte / TRACK_BYTES) < rule.tracks.first) return false;
      if (Math.floor(offsetBytes / TRACK_BYTES) > rule.tracks.last) return false;
    }
    if (rule.board === null) return true;
    const first = device.firstCylinder + Math.floor(offsetBytes / CYLINDER_BYTES);
    const last = device.firstCylinder + Math.floor(lastByte / CYLINDER_BYTES);
    // The next cylinder on that board, from the first one on.
    return first + (rule.board - first % this.#boards + this.#boards) % this.#boards <= last;
  }
}
