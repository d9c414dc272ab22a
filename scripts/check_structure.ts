// The structure check: rooms and arrows, cycles, the runtime seam, sizes, names, forbidden marks.
//
// Run by scripts/test. Prints `FILE:LINE: rule: what` for each finding and exits 1 when there is
// one. The rules are data in scripts/structure/.

import { checkTree } from "./structure/check_tree.ts";
import { readTree } from "./structure/read_tree.ts";

const root = Deno.args[0] ?? new URL("..", import.meta.url).pathname;
const tree = readTree(root);
const findings = checkTree(tree);
const lines = findings.map(({ path, line, rule, what }) => `${path}:${line}: ${rule}: ${what}\n`);
Deno.stdout.writeSync(new TextEncoder().encode(
  `${lines.join("")}${tree.files.length} files, ${findings.length} findings\n`,
));
Deno.exit(findings.length === 0 ? 0 : 1);
