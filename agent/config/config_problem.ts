// One thing that is wrong in a configuration file, with its place, and the list of all of them.
//
// Pure. Problems are shown in the order of the file, each once.

import { AgentError } from "../../transport/ground/error.ts";
import { MAX_PROBLEMS } from "./limits.ts";

export interface ConfigProblem {
  /** From 1; the place of the key or value, or of the nearest thing that exists. */
  readonly line: number;
  readonly column: number;
  /** Key path: `clients.web01.port`, `stgs[0].host`; "" for the file as a whole. */
  readonly key: string;
  /** What was found and what is needed. */
  readonly message: string;
  /** One imperative sentence, or null. */
  readonly hint: string | null;
}

/** What loading gives: the configuration, or every problem of the file. */
export type ConfigResult<C> =
  | { readonly ok: true; readonly config: C }
  | { readonly ok: false; readonly file: string; readonly problems: readonly ConfigProblem[] };

export type KeyPath = readonly (string | number)[];

/** Renders a path as people write it. @example keyText(["stgs", 0, "host"]) // "stgs[0].host" */
export function keyText(path: KeyPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}

/** The problems in the order of the file, without repetitions, at most MAX_PROBLEMS. */
export function sortProblems(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const seen = new Set<string>();
  const unique = problems.filter((problem) => {
    const identity = `${problem.line}:${problem.column}:${problem.key}:${problem.message}`;
    if (seen.has(identity)) return false;
    seen.add(identity);
    return true;
  });
  unique.sort((a, b) => a.line - b.line || a.column - b.column);
  return unique.slice(0, MAX_PROBLEMS);
}

/** `FILE:LINE:COL: key: message`, and the hint on a second line. */
export function formatProblem(file: string, problem: ConfigProblem): string {
  const key = problem.key === "" ? "" : `${problem.key}: `;
  const head = `${file}:${problem.line}:${problem.column}: ${key}${problem.message}`;
  return problem.hint === null ? head : `${head}\n  hint: ${problem.hint}`;
}

/** The configuration of a good result. @throws AgentError `usage` with every problem in it */
export function requireConfig<C>(result: ConfigResult<C>): C {
  if (result.ok) return result.config;
  const lines = result.problems.map((problem) => formatProblem(result.file, problem));
  throw new AgentError(
    "usage",
    `Cannot use configuration "${result.file}": found ${result.problems.length} problem(s), ` +
      `need none\n${lines.join("\n")}`,
    { hint: `Correct the file and run \`agent config check ${result.file}\`.` },
  );
}
