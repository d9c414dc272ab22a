// The hooks around a backup on the client: one program before anything of the source is read, one
// after the job's end, whatever that was. They stand in the client's own configuration: a server
// cannot name a program.
//
// Once a backup is published nothing takes it back, so a `post` that fails leaves its job
// incomplete at most; after a job that failed it is a warning beside the job's own error.

import { AgentError } from "../../transport/mod.ts";
import type { HookConfig, HooksConfig } from "../config/mod.ts";
import type { WorkerResult, WorkerSession } from "../job/mod.ts";
import { runHook } from "./run_hook.ts";
import type { WarningQueue } from "./send_backup.ts";

/** What a hook learns of its backup. */
export interface HookedBackup {
  readonly kind: "filesystem" | "sqlite" | "postgresql" | "command";
  /** Null when the server is of an earlier version and does not say. */
  readonly backup: string | null;
  readonly database: string | null;
}

type Status = "running" | "ok" | "incomplete" | "failed" | "cancelled";

export class BackupHooks {
  readonly #session: WorkerSession;
  readonly #hooks: HooksConfig;
  /** The backup whose `pre` came up, with or without one. */
  #backup: HookedBackup | null = null;

  constructor(session: WorkerSession, hooks: HooksConfig) {
    this.#session = session;
    this.#hooks = hooks;
  }

  /**
   * Runs `pre`; its failure may be a warning, for the server too.
   * @throws AgentError `failed`, and what the signal says
   */
  async before(
    backup: HookedBackup,
    options: { readonly signal: AbortSignal; readonly warnings: WarningQueue },
  ): Promise<void> {
    this.#backup = backup;
    const { pre } = this.#hooks;
    if (pre === null) return;
    const failure = await this.#run("pre", pre, { status: "running", signal: options.signal });
    if (failure === null) return;
    if (pre.onFailure === "fail") {
      throw new AgentError("failed", `Cannot back up: ${failure}`, {
        hint: "Mend the program under `hooks: pre:` of the client, or set `on_failure: warn`.",
      });
    }
    this.#warn(failure);
    options.warnings.addPlain("hook", failure);
  }

  /** Runs `post` after the body that calls `before`, if it did. */
  async around(body: () => Promise<WorkerResult>): Promise<WorkerResult> {
    let result: WorkerResult;
    try {
      result = await body();
    } catch (error) {
      const isCancelled = error instanceof AgentError && error.code === "cancelled";
      await this.#after(isCancelled ? "cancelled" : "failed");
      throw error;
    }
    const isWhole = await this.#after(result.status);
    return isWhole ? result : { ...result, status: "incomplete" };
  }

  /** @returns false when its failure counts */
  async #after(status: Status): Promise<boolean> {
    const { post } = this.#hooks;
    if (this.#backup === null || post === null) return true;
    // A cancelled job must not be ended before this was run.
    this.#session.committing();
    const { signal } = this.#session;
    const failure = await this.#run("post", post, {
      status,
      signal: signal.aborted ? new AbortController().signal : signal,
    }).catch((error) => {
      if (!(error instanceof AgentError)) throw error;
      return `hook "post" was ended: ${error.message}`;
    });
    if (failure === null) return true;
    this.#warn(failure);
    return post.onFailure === "warn";
  }

  async #run(
    name: "pre" | "post",
    hook: HookConfig,
    { status, signal }: { readonly status: Status; readonly signal: AbortSignal },
  ): Promise<string | null> {
    const { runtime, identity } = this.#session;
    const failure = await runHook(hook, {
      clock: runtime.clock,
      process: runtime.process,
      signal,
      environment: {
        AGENT_HOOK: name,
        AGENT_JOB: identity.job,
        AGENT_CLIENT: identity.name,
        AGENT_KIND: this.#backup?.kind ?? "",
        AGENT_BACKUP: this.#backup?.backup ?? "",
        AGENT_DATABASE: this.#backup?.database ?? "",
        AGENT_STATUS: status,
      },
    });
    return failure === null ? null : `hook "${name}" ("${hook.command[0]}") failed: ${failure}`;
  }

  #warn(message: string): void {
    this.#session.warn({ code: "hook", message, path: null });
  }
}
