// Reads the configuration again when it is asked to (SIGHUP), and gives a running daemon what can
// change while it runs. A file that is not good changes nothing.
//
// Invariant: what can fail comes first – the file, the certificates, the keys – so that a reload
// takes effect whole or not at all. One goes on at a time; one that is asked for meanwhile follows.

import { AgentError, type Runtime, SystemError, toErrorRecord } from "../transport/mod.ts";
import type { Audit } from "./audit_log.ts";
import { type Config, formatProblem, loadConfig } from "./config/mod.ts";
import type { DaemonParts } from "./daemon_parts.ts";
import { planReload } from "./reload_plan.ts";
import type { ServiceNotices } from "./service_notices.ts";

/** What a reload changes: the daemon and its network. */
export interface Reloadable {
  readonly config: Config;
  /** Checks what a configuration needs, and takes it. @throws AgentError; nothing changed then */
  take(config: Config): Promise<void>;
  /** What `systemctl status` shows while it runs. */
  readonly status: () => string;
}

/** As the audit log names it; who sent the signal is not to be known. */
const RELOAD = { who: { by: "signal" }, action: "reload" } as const;

export interface ReloaderParts {
  readonly runtime: Pick<Runtime, "files">;
  readonly log: DaemonParts["log"];
  readonly audit: Audit;
  readonly notices: Pick<ServiceNotices, "say">;
}

export class Reloader {
  readonly #parts: ReloaderParts;
  #target: Reloadable | null = null;
  #isAsked = false;
  #isBusy = false;

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
  }

  /** The daemon is up: takes what was asked for while it started, too. */
  begin(target: Reloadable): void {
    this.#target = target;
    void this.#go();
  }

  request(): void {
    this.#isAsked = true;
    void this.#go();
  }

  async #go(): Promise<void> {
    const target = this.#target;
    if (target === null || this.#isBusy) return;
    this.#isBusy = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#reload(target);
    }
    this.#isBusy = false;
  }

  async #reload(target: Reloadable): Promise<void> {
    const { notices } = this.#parts;
    const { file } = target.config;
    notices.say("reloading", `reads ${file} again`);
    try {
      const outcome = await this.#take(target);
      notices.say("ready", `${target.status()}; ${outcome}`);
    } catch (error) {
      if (!(error instanceof AgentError) && !(error instanceof SystemError)) throw error;
      this.#refuse(toErrorRecord(error));
      notices.say("ready", `${target.status()}; reload failed: ${error.message}`);
    }
  }

  /** @returns what became of it */
  async #take(target: Reloadable): Promise<string> {
    const { runtime: { files }, log } = this.#parts;
    const running = target.config;
    const read = loadConfig(files, running.file, running.role);
    if (!read.ok) {
      for (const problem of read.problems) {
        log("error", formatProblem(read.file, problem).replace("\n ", ";"));
      }
      throw new AgentError(
        "usage",
        `Cannot use configuration "${read.file}": found ${read.problems.length} problem(s), ` +
          "need none",
        { hint: `Correct the file and run \`agent config check ${read.file}\`.` },
      );
    }
    const { config, changed, held } = planReload(running, read.config);
    await target.take(config);
    for (const key of held) {
      log("warning", `\`${key}\` has changed: it takes effect at the next restart`);
    }
    log("info", `configuration read again: ${changed.join(", ") || "nothing"} changed`);
    const details = { changed: changed.join(", "), held: held.join(", ") };
    this.#parts.audit({ ...RELOAD, result: "taken", details });
    return held.length === 0 ? "reloaded" : `reloaded, a restart is needed for ${held.join(", ")}`;
  }

  #refuse({ message, hint }: { readonly message: string; readonly hint?: string | undefined }) {
    this.#parts.audit({ ...RELOAD, result: message });
    const advice = hint === undefined ? "" : `; ${hint}`;
    this.#parts.log("error", `the old configuration stays: ${message}${advice}`);
  }
}
