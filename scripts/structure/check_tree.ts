// All rules of the structure check over one tree.

import { checkArrows, checkCycles } from "./arrows.ts";
import type { Finding, Rule, Tree } from "./finding.ts";
import { checkMarks } from "./marks.ts";
import { checkNames, checkRooms } from "./names.ts";
import { checkSeam } from "./seam.ts";
import { checkSizes } from "./sizes.ts";
import { checkStart } from "./start.ts";

const RULES: readonly Rule[] = [
  checkArrows,
  checkCycles,
  checkStart,
  checkSeam,
  checkSizes,
  checkNames,
  checkRooms,
  checkMarks,
];

/** Every finding, by path and line. */
export function checkTree(tree: Tree): Finding[] {
  return RULES.flatMap((rule) => [...rule(tree)]).sort((a, b) =>
    a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line
  );
}
