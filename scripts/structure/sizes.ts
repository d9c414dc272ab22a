// How long files, functions and lines may be. A file that outgrows its limit holds two concepts.

import type { Finding, Tree } from "./finding.ts";
import { functionSpans } from "./function_spans.ts";

/** Lines: 250 is what a file should have, 400 is where the check fails. */
export const FILE_LINES = 400;
/** Lines, head and closing brace included. */
export const FUNCTION_LINES = 60;
/** Characters; the formatter breaks code at the same width, but not comments and strings. */
export const LINE_CHARACTERS = 100;

/** Length of a line of code whose strings and comments were blanked out. */
function collapsed(code: string): number {
  return code.trim().replace(/\s+/g, " ").length;
}

/** Rules `file-size`, `function-size`, `line-width`. */
export function* checkSizes(tree: Tree): Generator<Finding> {
  for (const { path, raw, source } of tree.files) {
    if (source === null) continue;
    const lines = raw.replace(/\n$/, "").split("\n");
    if (lines.length > FILE_LINES) {
      const what = `${lines.length} lines, at most ${FILE_LINES}`;
      yield { path, line: FILE_LINES + 1, rule: "file-size", what };
    }
    const code = path.startsWith("tests/") ? source.code.split("\n") : null;
    for (const [index, text] of lines.entries()) {
      if ([...text].length <= LINE_CHARACTERS) continue;
      // Tests hold samples of output as they are: what counts there is the code around them.
      if (code !== null && collapsed(code[index] ?? "") <= LINE_CHARACTERS) continue;
      const what = `${[...text].length} characters, at most ${LINE_CHARACTERS}`;
      yield { path, line: index + 1, rule: "line-width", what };
    }
    for (const span of functionSpans(source)) {
      // A describe block is a list of tests, not one train of thought.
      if (span.lines <= FUNCTION_LINES || span.name.startsWith("describe")) continue;
      const what = `${span.name} has ${span.lines} lines, at most ${FUNCTION_LINES}`;
      yield { path, line: span.line, rule: "function-size", what };
    }
  }
}
