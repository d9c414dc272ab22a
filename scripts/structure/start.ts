// What every command loads before it runs: PostgreSQL and people start many, and what only daemons
// need takes as long to load as all the rest (scripts/bench-start).
//
// Rule:
//  start  a package of daemons that a command loads, with the way to it

import { type Edge, edgesOf } from "./arrows.ts";
import type { Finding, Tree } from "./finding.ts";

const STARTS = ["agent/program.ts", "agent/log_program.ts"];
const OF_DAEMONS = /^(?:hono|hono-openapi|@hono|prom-client)(?:\/|$)/;

/** The shortest way from each start to each package of daemons. */
export function* checkStart(tree: Tree): Generator<Finding> {
  const next = new Map<string, Edge[]>();
  for (const edge of edgesOf(tree)) {
    if (!edge.typeOnly && !edge.dynamic) next.set(edge.from, [...next.get(edge.from) ?? [], edge]);
  }
  for (const start of STARTS) {
    const ways = new Map([[start, start]]);
    for (const [file, way] of ways) {
      for (const { to, specifier, line } of next.get(file) ?? []) {
        if (to !== null && !ways.has(to)) ways.set(to, `${way} -> ${to}`);
        if (to !== null || !OF_DAEMONS.test(specifier)) continue;
        yield { path: file, line, rule: "start", what: `${way} -> ${specifier}` };
      }
    }
  }
}
