// The seam between product and runtime: only transport/runtime/ may name what belongs to Deno, Bun
// or the operating system, to a clock or to chance, so that everything else can be tested with
// stand-ins and runs on both runtimes.

import { type Finding, isProduct, type Tree } from "./finding.ts";
import { scanImports } from "./import_scan.ts";
import { lineOf } from "./source_text.ts";

const MODULES =
  /^(?:bun:.*|(?:node:)?(?:fs|fs\/promises|net|tls|os|child_process|worker_threads))$/;

const NAMES: readonly RegExp[] = [
  /(?<![\w.])Deno\./g,
  /(?<![\w.])Bun\./g,
  /\bDate\.now\b/g,
  /\bnew Date\(\s*\)/g,
  /\bperformance\.now\b/g,
  /(?<![\w.])set(?:Timeout|Interval|Immediate)\(/g,
  /\bAbortSignal\.timeout\b/g,
  /\bMath\.random\b/g,
  /\b(?:getRandomValues|randomUUID|randomBytes|randomInt)\b/g,
];

/** Rule `seam`. */
export function* checkSeam(tree: Tree): Generator<Finding> {
  for (const { path, source } of tree.files) {
    if (source === null || !isProduct(path) || path.startsWith("transport/runtime/")) continue;
    for (const { specifier, line, typeOnly } of scanImports(source)) {
      if (typeOnly || !MODULES.test(specifier)) continue;
      yield { path, line, rule: "seam", what: `"${specifier}" belongs to transport/runtime` };
    }
    for (const pattern of NAMES) {
      for (const match of source.code.matchAll(pattern)) {
        const line = lineOf(source.raw, match.index);
        yield { path, line, rule: "seam", what: `${match[0]} belongs to transport/runtime` };
      }
    }
  }
}
