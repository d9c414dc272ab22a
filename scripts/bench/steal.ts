// How much of the machine's time its host gave to others, from /proc/stat.

import { readFileSync } from "node:fs";

/** Fields of the `cpu` line: user nice system idle iowait irq softirq steal. */
const STEAL_FIELD = 7;
const FIELDS = 8;

/** Starts to measure; the result of calling it is the share since then, 0 to 1. */
export function measureSteal(): () => number {
  const read = (): number[] =>
    (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "").trim().split(/\s+/)
      .slice(1, 1 + FIELDS).map(Number);
  const before = read();
  return () => {
    const spent = read().map((ticks, field) => ticks - (before[field] ?? 0));
    const all = spent.reduce((sum, ticks) => sum + ticks, 0);
    return all === 0 ? 0 : (spent[STEAL_FIELD] ?? 0) / all;
  };
}
