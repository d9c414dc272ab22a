// Counts tests in the JUnit reports of both runners, since neither prints one line for both.
//
// Deno reports a describe block as a test and each test in it as a further one whose name starts
// with the block's: only the innermost ones count. Bun nests suites and reports tests alone.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Case {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
}

const CASE = /<testcase\s([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g;

function casesOf(xml: string): Case[] {
  return [...xml.matchAll(CASE)].map(([, attributes = "", body = ""]) => ({
    name: /(?:^|\s)name="([^"]*)"/.exec(attributes)?.[1] ?? "",
    result: /<(?:failure|error)\b/.test(body)
      ? "failed"
      : /<skipped\b/.test(body)
      ? "skipped"
      : "passed",
  }));
}

/** Names of the blocks that contain other tests: every proper prefix up to a " > ". */
function blockNames(cases: readonly Case[]): Set<string> {
  const blocks = new Set<string>();
  for (const { name } of cases) {
    const parts = name.split(" &gt; ");
    for (let depth = 1; depth < parts.length; depth += 1) {
      blocks.add(parts.slice(0, depth).join(" &gt; "));
    }
  }
  return blocks;
}

/** Counts the tests of one report. */
export function countJunit(xml: string, runner: "deno" | "bun"): Counts {
  const cases = casesOf(xml);
  const blocks = runner === "deno" ? blockNames(cases) : new Set<string>();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, result } of cases) {
    // A block that failed by itself (a hook threw) has no failed test inside: count it as one.
    if (blocks.has(name)) continue;
    counts[result] += 1;
  }
  return counts;
}

/**
 * What a step counts for, given its exit code: a runner that failed without a failed test (a file
 * that does not load, a hook that throws, a crash) is one failure. In continuous integration a
 * skipped test is a failure too.
 */
export function settleCounts(
  counts: Counts,
  outcome: { readonly exitCode: number; readonly strict: boolean },
): Counts {
  const skipped = outcome.strict ? counts.skipped : 0;
  let failed = counts.failed + skipped;
  if (outcome.exitCode !== 0 && failed === 0) failed = 1;
  return { passed: counts.passed, failed, skipped: counts.skipped };
}
