// One rule of `faults.json`: what goes wrong, where, how often. Pure.
//
// A rule has the same texts in the file and as options of `agent array fault DIR add`, and one
// parser, which names everything that is wrong at once.

import { formatLatency, type LatencyDistribution, parseLatency } from "./latency_distribution.ts";
import type { ArrayGeometry } from "./geometry.ts";
import {
  MAX_FAULT_COUNT,
  MAX_FAULT_HOST_CHARACTERS,
  MAX_FAULT_LATENCY_MS,
  TRACK_BYTES,
} from "./limits.ts";

/** At the front between host and cache (read, write), at the back between cache and device. */
export const FAULT_OPERATIONS = ["read", "write", "stage", "destage"] as const;
export type FaultOperation = typeof FAULT_OPERATIONS[number];

/** Each kind with the operations that it can strike, and those that it does when none is named. */
export const FAULT_KINDS = {
  latency: { can: FAULT_OPERATIONS, does: ["read", "write"] },
  "io-error": { can: FAULT_OPERATIONS, does: ["read", "write"] },
  torn: { can: ["write", "destage"], does: ["write"] },
  lost: { can: ["write", "destage"], does: ["write"] },
  stale: { can: ["read", "stage"], does: ["read"] },
  flip: { can: FAULT_OPERATIONS, does: ["read"] },
  "device-gone": { can: FAULT_OPERATIONS, does: FAULT_OPERATIONS },
  "board-gone": { can: FAULT_OPERATIONS, does: FAULT_OPERATIONS },
} as const satisfies Record<
  string,
  { readonly can: readonly FaultOperation[]; readonly does: readonly FaultOperation[] }
>;
export type FaultKind = keyof typeof FAULT_KINDS;

export interface FaultRule {
  /** Of the array, from 1; never used again. */
  readonly id: number;
  readonly kind: FaultKind;
  readonly operations: readonly FaultOperation[];
  /** Null: all. */
  readonly device: string | null;
  /** Only cylinders on this memory board; null: all. */
  readonly board: number | null;
  /** Tracks of a device, both ends included; null: all. */
  readonly tracks: { readonly first: number; readonly last: number } | null;
  /** Name of the attachments' host; null: all. */
  readonly host: string | null;
  /** Of each access in scope. */
  readonly probability: number;
  /** It fires at most so often, over all processes; null: always. */
  readonly count: number | null;
  readonly latency: LatencyDistribution | null;
  /** Makes its choices repeatable; null: from the system's randomness. */
  readonly seed: number | null;
}

/** The texts or numbers of a rule, by the names of FAULT_KEYS. */
export type FaultFields = Readonly<Record<string, unknown>>;

export const FAULT_KEYS = [
  "id",
  "kind",
  "on",
  "device",
  "board",
  "tracks",
  "host",
  "probability",
  "count",
  "latency",
  "seed",
] as const;
type FaultKey = typeof FAULT_KEYS[number];

/** Reads a rule. @returns it, or everything that is wrong with it: "key: found …, need …" */
export function parseFaultRule(
  fields: FaultFields,
  geometry: ArrayGeometry,
): FaultRule | readonly string[] {
  const reader = new FieldReader(fields);
  const kind = kindOf(reader.text("kind"));
  const rule: FaultRule = {
    id: reader.whole("id", 1, MAX_FAULT_COUNT) ?? 0,
    kind: kind ?? "latency",
    operations: readOperations(reader, kind),
    ...readScope(reader, geometry),
    probability: readProbability(reader),
    count: reader.whole("count", 1, MAX_FAULT_COUNT),
    latency: readLatency(reader),
    seed: reader.whole("seed", 0, 2 ** 32 - 1),
  };
  if (fields["id"] === undefined) reader.refuse("id", "a whole number");
  if (kind === null) reader.refuse("kind", Object.keys(FAULT_KINDS).join(", "));
  else checkTogether(rule, reader);
  return reader.problems.length === 0 ? rule : reader.problems;
}

/** A rule as it stands in the file: only what it says. */
export function faultFields(rule: FaultRule): Record<string, string | number> {
  const { tracks, latency } = rule;
  const all = {
    id: rule.id,
    kind: rule.kind,
    on: rule.operations.join(","),
    device: rule.device,
    board: rule.board,
    tracks: tracks === null ? null : `${tracks.first}-${tracks.last}`,
    host: rule.host,
    probability: rule.probability,
    count: rule.count,
    latency: latency === null ? null : formatLatency(latency),
    seed: rule.seed,
  } satisfies Record<FaultKey, string | number | null>;
  const said: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(all)) if (value !== null) said[key] = value;
  return said;
}

/** Fields of a rule one by one; what is missing is null, what is wrong is noted. */
class FieldReader {
  readonly problems: string[] = [];
  readonly #fields: FaultFields;

  constructor(fields: FaultFields) {
    this.#fields = fields;
    for (const key of Object.keys(fields)) {
      if (FAULT_KEYS.some((known) => known === key)) continue;
      this.problems.push(`${key}: unknown, need only ${FAULT_KEYS.join(", ")}`);
    }
  }

  refuse(key: FaultKey, wanted: string): null {
    const value = this.#fields[key];
    const found = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 80);
    this.problems.push(`${key}: found ${found}, need ${wanted}`);
    return null;
  }

  text(key: FaultKey): string | null {
    const value = this.#fields[key];
    if (value === undefined || value === null) return null;
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  }

  whole(key: FaultKey, least: number, most: number): number | null {
    const text = this.text(key);
    if (text === null) return null;
    const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
    if (value >= least && value <= most) return value;
    return this.refuse(key, `a whole number from ${least} to ${most}`);
  }
}

function kindOf(text: string | null): FaultKind | null {
  const kinds = Object.keys(FAULT_KINDS) as FaultKind[];
  return kinds.find((kind) => kind === text) ?? null;
}

function readOperations(reader: FieldReader, kind: FaultKind | null): readonly FaultOperation[] {
  const text = reader.text("on");
  const { can, does } = FAULT_KINDS[kind ?? "latency"];
  if (text === null) return does;
  const named = text.split(",");
  const found = (can as readonly FaultOperation[]).filter((one) => named.includes(one));
  if (found.length === named.length) return found;
  reader.refuse("on", `some of ${can.join(",")}${kind === null ? "" : ` for kind ${kind}`}`);
  return does;
}

function readScope(reader: FieldReader, { devices, boards }: ArrayGeometry) {
  const device = reader.text("device");
  const geometry = devices.find(({ name }) => name === device);
  if (device !== null && geometry === undefined) {
    reader.refuse("device", devices.map(({ name }) => name).join(" or ").slice(0, 200));
  }
  const host = reader.text("host");
  if (host !== null && (host === "" || host.length > MAX_FAULT_HOST_CHARACTERS)) {
    reader.refuse("host", "the name of a host");
  }
  const board = reader.whole("board", 0, boards - 1);
  const reach = geometry === undefined ? devices : [geometry];
  const trackCount = Math.max(...reach.map(({ sizeBytes }) => sizeBytes / TRACK_BYTES));
  return { device, host, board, tracks: readTracks(reader, trackCount) };
}

function readTracks(reader: FieldReader, trackCount: number): FaultRule["tracks"] {
  const text = reader.text("tracks");
  if (text === null) return null;
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (first <= last && last < trackCount) return { first, last };
  return reader.refuse("tracks", `A-B with tracks from 0 to ${trackCount - 1}`);
}

function readProbability(reader: FieldReader): number {
  const text = reader.text("probability");
  if (text === null) return 1;
  const value = /^\d+(\.\d+)?(e-?\d+)?$/.test(text) ? Number(text) : 0;
  if (value > 0 && value <= 1) return value;
  reader.refuse("probability", "a number above 0, up to 1");
  return 1;
}

function readLatency(reader: FieldReader): LatencyDistribution | null {
  const text = reader.text("latency");
  if (text === null) return null;
  return parseLatency(text) ??
    reader.refuse(
      "latency",
      `5ms, uniform:1ms-20ms or exp:10ms, above 0, up to ${MAX_FAULT_LATENCY_MS}ms`,
    );
}

function checkTogether(rule: FaultRule, reader: FieldReader): void {
  const { kind } = rule;
  if ((kind === "latency") !== (reader.text("latency") !== null)) {
    reader.refuse("latency", kind === "latency" ? "it for kind latency" : "it only for latency");
  }
  if (kind === "device-gone" && rule.device === null) {
    reader.refuse("device", "the one that is gone");
  }
  if (kind === "board-gone" && reader.text("board") === null) {
    reader.refuse("board", "the one that is gone");
  }
}
