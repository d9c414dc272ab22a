// What one of the two processes of a run is told, as JSON in its only argument, and what the source
// prints at the end. Types and their crossing.

import type { StgConfig } from "../../agent/config/mod.ts";

/** What carries the bytes. */
export type Carrier = "tcp" | "stp" | "ring" | "ring-crc";

/** What is measured: a stream and round trips, several streams at once, or a silence. */
export type Measure = "stream" | "many" | "idle" | "control";

export interface PeerTask {
  readonly side: "sink" | "source";
  readonly carrier: Carrier;
  readonly measure: Measure;
  /** The group, for "stp". */
  readonly stg: StgConfig | null;
  /** The ring's file. */
  readonly ring: string;
  /** Where the sink listens; null for the sink itself. */
  readonly peer: { readonly host: number; readonly port: number } | null;
  readonly frameBytes: number;
  readonly seconds: number;
  readonly connections: number;
  /** Socket of the control endpoint, for "control". */
  readonly control: string;
}

/** What a run measured; a key that does not apply is absent. */
export interface Figures {
  readonly bytesPerSecond?: number;
  readonly cpuSecondsPerGigabyte?: number;
  readonly smallestShare?: number;
  readonly medianUs?: number;
  readonly p99Us?: number;
  readonly firstMs?: number;
  /** Part of one core that a process with an idle connection uses, the mean of both. */
  readonly idleCpuPart?: number;
  /** The same without what the process uses before it connects. */
  readonly connectionCpuPart?: number;
  readonly controlP99Ms?: number;
}

export type FigureName = keyof Figures;

/** The token of every connection: nobody else is on the benchmark's own group. */
export const TOKEN = new Uint8Array(16).fill(7);
