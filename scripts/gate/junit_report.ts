// Reads the JUnit reports of both runners: counts, since neither prints one line for both, and the
// failed tests, which a long output hides.
//
// Deno reports a describe block as a test and each test in it as a further one whose name starts
// with the block's: only the innermost ones count. Bun nests suites and reports tests alone.

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Lines of its message that a failed test is shown with. */
const MESSAGE_LINES = 8;

export type Runner = "deno" | "bun";

interface Case {
  readonly name: string;
  readonly result: "passed" | "failed" | "skipped";
  readonly message: string;
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
    message: /<(?:failure|error)\b[^>]*>([\s\S]*?)<\//.exec(body)?.[1] ?? "",
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

/** The tests of a report without the blocks that contain them. */
function testsOf(xml: string, runner: Runner): Case[] {
  const cases = casesOf(xml);
  if (runner === "bun") return cases;
  // A block that failed by itself (a hook threw) has no failed test inside: it stays, as a test.
  const blocks = blockNames(cases);
  return cases.filter(({ name }) => !blocks.has(name));
}

/** Counts the tests of one report. */
export function countJunit(xml: string, runner: Runner): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { result } of testsOf(xml, runner)) counts[result] += 1;
  return counts;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&#10;": "\n",
  "&amp;": "&",
};

function unescape(xml: string): string {
  return xml.replace(/&(?:lt|gt|quot|apos|amp|#10);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** The failed tests of one report, each with its name and the first lines of its message. */
export function failedTests(xml: string, runner: Runner): string[] {
  return testsOf(xml, runner).filter(({ result }) => result === "failed").map(
    ({ name, message }) => {
      const lines = unescape(message).split("\n").filter((line) => line.trim() !== "");
      return [unescape(name), ...lines.slice(0, MESSAGE_LINES)].join("\n    ");
    },
  );
}

/**
 * What a step counts for, given its exit code: a runner that failed without a failed test (a file
 * that does not load, a hook that throws, a crash) is one failure, and so is having left something
 * on the machine. In continuous integration a skipped test is a failure too.
 */
export function settleCounts(
  counts: Counts,
  outcome: { readonly exitCode: number; readonly strict: boolean; readonly left: number },
): Counts {
  const skipped = outcome.strict ? counts.skipped : 0;
  let failed = counts.failed + skipped + (outcome.left > 0 ? 1 : 0);
  if (outcome.exitCode !== 0 && failed === 0) failed = 1;
  return { passed: counts.passed, failed, skipped: counts.skipped };
}
