// How long a slow access takes: `5ms`, `uniform:1ms-20ms` or `exp:10ms`. Pure.

import type { FaultRandom } from "./fault_random.ts";
import { MAX_FAULT_LATENCY_MS } from "./limits.ts";

export type LatencyDistribution =
  | { readonly shape: "fixed"; readonly ms: number }
  | { readonly shape: "uniform"; readonly fromMs: number; readonly toMs: number }
  | { readonly shape: "exponential"; readonly meanMs: number };

const TIME_PATTERN = /^(\d{1,9}(?:\.\d{1,6})?)(us|ms|s)$/;
const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000 };

/** @returns null when `text` is no distribution, or reaches beyond MAX_FAULT_LATENCY_MS */
export function parseLatency(text: string): LatencyDistribution | null {
  const [shape, rest] = text.includes(":") ? splitOnce(text, ":") : ["fixed", text];
  if (shape === "uniform") {
    const [from, to] = splitOnce(rest, "-").map(parseTime);
    if (from === null || to === null || from === undefined || to === undefined) return null;
    return from <= to ? { shape, fromMs: from, toMs: to } : null;
  }
  const ms = parseTime(rest);
  if (ms === null) return null;
  if (shape === "fixed") return { shape, ms };
  return shape === "exp" ? { shape: "exponential", meanMs: ms } : null;
}

export function formatLatency(latency: LatencyDistribution): string {
  if (latency.shape === "fixed") return `${latency.ms}ms`;
  if (latency.shape === "uniform") return `uniform:${latency.fromMs}ms-${latency.toMs}ms`;
  return `exp:${latency.meanMs}ms`;
}

/** One delay in milliseconds; its user bounds it. */
export function sampleLatency(latency: LatencyDistribution, random: FaultRandom): number {
  if (latency.shape === "fixed") return latency.ms;
  if (latency.shape === "uniform") {
    return latency.fromMs + random.next() * (latency.toMs - latency.fromMs);
  }
  return -latency.meanMs * Math.log(1 - random.next());
}

function parseTime(text: string): number | null {
  const match = TIME_PATTERN.exec(text);
  if (match === null) return null;
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? Number.NaN);
  return ms > 0 && ms <= MAX_FAULT_LATENCY_MS ? ms : null;
}

function splitOnce(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}
