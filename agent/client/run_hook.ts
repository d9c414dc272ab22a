// Runs one program of the client's configuration to its end, or ends it: when its time is over, or
// when nobody wants its work any more. What it started itself ends with it.
//
// Invariant: when the call returns or throws, the program is gone, killed if need be.

import {
  AgentError,
  type ChildProcess,
  type Clock,
  type Process,
  withDeadline,
} from "../../transport/mod.ts";
import type { HookConfig } from "../config/mod.ts";
import { HOOK_GRACE_MS, HOOK_TEXT_MAX } from "./limits.ts";

export interface RunHookOptions {
  readonly clock: Clock;
  readonly process: Process;
  /** Variables beside those of the daemon. */
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * @returns what went wrong, with the end of its standard error; null when it ended with 0
 * @throws what the signal says when it fires first
 */
export async function runHook(hook: HookConfig, options: RunHookOptions): Promise<string | null> {
  const { clock, process, environment, signal } = options;
  let text = "";
  const child = process.start(hook.command, {
    environment,
    isGroup: true,
    onLine: () => {}, // Nobody reads its standard output.
    onErrorText: (more) => text = (text + more).slice(-HOOK_TEXT_MAX),
  });
  child.endInput();
  const said = () => text.trim() === "" ? "" : `: ${text.trim()}`;
  const deadline = { timeoutMs: hook.timeoutMs, action: "run a hook", signal };
  try {
    const code = await withDeadline(clock, deadline, () => child.ended);
    return code === 0 ? null : `it ended with ${code}${said()}`;
  } catch (error) {
    await end(child, clock);
    if (signal.aborted || !(error instanceof AgentError)) throw error;
    return `it took longer than ${hook.timeoutMs / 1000} s${said()}`;
  }
}

async function end(child: ChildProcess, clock: Clock): Promise<void> {
  child.kill("SIGTERM");
  const deadline = { timeoutMs: HOOK_GRACE_MS, action: "end a hook" };
  try {
    await withDeadline(clock, deadline, () => child.ended);
  } catch {
    // It takes too long.
  }
  child.kill("SIGKILL"); // Also what it leaves behind, which may not have heeded the first word.
  await child.ended;
}
