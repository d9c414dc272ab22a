// What a check says. Pure.

import { AgentError, SystemError } from "../../transport/mod.ts";

export type Verdict = "ok" | "warn" | "fail";

export interface Finding {
  /** What was looked at: "configuration", "certificate", … */
  readonly check: string;
  /** Which one: a file, a group, a peer. */
  readonly subject: string;
  readonly verdict: Verdict;
  readonly message: string;
  /** What to do; null when there is nothing to do. */
  readonly hint: string | null;
}

export interface Said {
  readonly check: string;
  readonly subject: string;
}

export function good(said: Said, message: string): Finding {
  return { ...said, verdict: "ok", message, hint: null };
}

export function doubtful(said: Said, message: string, hint: string): Finding {
  return { ...said, verdict: "warn", message, hint };
}

export function wrong(said: Said, message: string, hint: string | null): Finding {
  return { ...said, verdict: "fail", message, hint };
}

/** An operating error as a finding; what is no such thing is a bug of ours and passes. */
export function failed(said: Said, thrown: unknown): Finding {
  if (thrown instanceof AgentError) return wrong(said, thrown.message, thrown.hint ?? null);
  if (thrown instanceof SystemError) {
    return wrong(said, thrown.message, "Give the user that runs the agent access to it.");
  }
  throw thrown;
}
