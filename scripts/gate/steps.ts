// The steps of the gate as data: what each runs, under which name it can be asked for.
//
// Invariants:
//  1. Every test folder runs under Deno and under Bun; the integration tests, which start the
//     program as processes, against the modules of Deno's binary run by Deno, which start sooner
//     than the sources, and against the compiled binary (which is Bun's where Deno's base
//     binary is not to be had).
//  2. Permission flags come from scripts/toolchain: the same for tests, sources and archive.
//  3. Steps of one row run side by side: most tests wait most of the time. What judges by figures
//     of the whole machine, or needs both cores for itself, has a row of its own.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export interface Step {
  readonly name: string;
  /** Names that select this step besides its own. */
  readonly groups: readonly string[];
  /** Steps that follow each other with the same row run side by side. */
  readonly row: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How to count: by the runner's report, or the step itself is one check. */
  readonly report: "deno-junit" | "bun-junit" | "exit-code";
}

/** Paths and choices that the steps depend on. */
export interface StepOptions {
  readonly root: string;
  readonly deno: string;
  readonly bun: string;
  /** Flags of `deno run`, `deno test` and `deno compile`. */
  readonly permissions: readonly string[];
  /** True in the complete run: the conformance suites move their full amount. */
  readonly full: boolean;
  /** Bytes the conformance suites stream, when somebody asked for another amount. */
  readonly conformanceBytes?: string | undefined;
}

/** Folders of tests/, bottom up; integration comes last and by itself. */
const FOLDERS = ["unit", "golden", "contract", "simulation", "regression", "jobs"] as const;

/** Gives Deno a folder as one module, for an isolate for each file takes a third of the time. */
const TOGETHER = "tests/together.ts";

/** Tests of what the documentation promises in figures of time: nothing runs beside them. */
const FIGURES = "integration/figures.test.ts";

/**
 * Integration tests of what does not depend on the program's runtime: the package's files, another
 * vendor's tools behind the command contract, the way of a server along timelines, and the bed of
 * the two hosts. The binary has them.
 */
const BINARY_ALONE = ["package", "mariadb", "timelines", "two_hosts_bed"]
  .map((name) => `integration/${name}.test.ts`);

/** Bytes that each conformance suite streams: the full amount, and a quick one. */
const FULL_BYTES = 1024 ** 3;
const QUICK_BYTES = 16 * 1024 ** 2;

/** Milliseconds one test may take under Bun, whose default of 5 s is for unit tests. */
const TEST_TIMEOUT_MS = 300_000;

const TYPED = ["mod.ts", "main.ts", "agent", "transport", "emulator", "tests", "scripts"] as const;

function hasTests(folder: string): boolean {
  if (!existsSync(folder)) return false;
  return readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith(".test.ts"));
}

function testStep(folder: string, runtime: "deno" | "bun", options: StepOptions): Step {
  const { deno, bun, full, permissions } = options;
  const command = runtime === "deno"
    ? [deno, "test", ...permissions, "--no-check", TOGETHER, "--", `tests/${folder}`]
    : [bun, "test", `--timeout=${TEST_TIMEOUT_MS}`, `./tests/${folder}`];
  const given = options.conformanceBytes;
  return {
    name: `${folder}-${runtime}`,
    groups: [folder, runtime],
    row: folder,
    command,
    env: { CONFORMANCE_BYTES: given ?? String(full ? FULL_BYTES : QUICK_BYTES) },
    report: `${runtime}-junit`,
  };
}

function check(name: string, command: readonly string[]): Step {
  const groups = ["static"];
  return { name, groups, row: "static", command, env: {}, report: "exit-code" };
}

/** The program as processes: the bundle under Deno, then the binary; figures last and alone. */
function integrationSteps(options: StepOptions): readonly Step[] {
  const { root, deno, permissions } = options;
  const AGENT_BINARY = join(root, "dist/agent");
  const AGENT_BUNDLE = join(root, "dist/bundle");
  const step = (subject: "deno" | "binary", figures: boolean): Step => {
    const others = [FIGURES, ...subject === "deno" ? BINARY_ALONE : []];
    const ignored = others.map((path) => `tests/${path}`).join(",");
    const tests = figures ? [`tests/${FIGURES}`] : [`--ignore=${ignored}`, "tests/integration"];
    const name = `${figures ? "figures" : "integration"}-${subject}`;
    return {
      name,
      groups: ["integration", "e2e", ...subject === "deno" ? ["deno"] : []],
      row: figures ? name : "integration",
      command: [deno, "test", ...permissions, "--no-check", ...tests],
      env: subject === "binary" ? { AGENT_BINARY } : { AGENT_BUNDLE },
      report: "deno-junit",
    };
  };
  const groups = ["integration", "e2e", "deno"];
  const build = { ...check("build", ["scripts/build"]), groups, row: "build" };
  return [
    build,
    step("deno", false),
    step("binary", false),
    step("deno", true),
    step("binary", true),
  ];
}

/** All steps in the order in which they run: the quick ones first. */
export function allSteps(options: StepOptions): readonly Step[] {
  const { root, deno, permissions } = options;
  const typed = TYPED.filter((path) => existsSync(join(root, path)));
  const runs = (folder: string): Step[] =>
    hasTests(join(root, "tests", folder))
      ? [testStep(folder, "deno", options), testStep(folder, "bun", options)]
      : [];
  return [
    check("fmt", [deno, "fmt", "--check"]),
    check("lint", [deno, "lint", "--quiet"]),
    check("types", [deno, "check", "--quiet", ...typed]),
    check("structure", [deno, "run", ...permissions, "--no-check", "scripts/check_structure.ts"]),
    ...FOLDERS.flatMap(runs),
    ...integrationSteps(options),
  ];
}

/** The steps by rows, in their order. */
export function rowsOf(steps: readonly Step[]): readonly (readonly Step[])[] {
  const rows: Step[][] = [];
  for (const step of steps) {
    const last = rows.at(-1);
    if (last?.[0]?.row === step.row) last.push(step);
    else rows.push([step]);
  }
  return rows;
}

/** The steps that `names` select, all when there are none; null with an unknown name. */
export function selectSteps(
  steps: readonly Step[],
  names: readonly string[],
): readonly Step[] | { readonly unknown: string } {
  const matches = (step: Step, name: string): boolean =>
    step.name === name || step.groups.includes(name);
  const unknown = names.find((name) => !steps.some((step) => matches(step, name)));
  if (unknown !== undefined) return { unknown };
  return names.length === 0
    ? steps
    : steps.filter((step) => names.some((name) => matches(step, name)));
}
