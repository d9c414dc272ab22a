// One configured group of a daemon: joined, lost, joined again.
//
// Life cycle: tryJoin -> keep (until the signal) -> close. `keep` waits for the loss, closes what
// was open, and tries again with growing pauses, so that a path or a process that comes back needs
// nobody. Each join opens the volumes anew and claims the host id with a new generation: what jobs
// hold from before stays dead.
//
// Invariants: the volumes of a join are closed before the next one opens them. A lease goes back
// to the membership that gave it, or nowhere.

import {
  AgentError,
  type ProcessTable,
  readStgIdentity,
  type StgIdentity,
  StgMember,
  type StgStatus,
  type StpTiming,
  stpTiming,
} from "../../transport/mod.ts";
import type { Clock, Random, Volume } from "../../transport/mod.ts";
import type { StgConfig } from "../config/mod.ts";
import type { ArrayDeviceMap, ArrayView } from "../control/array_view.ts";
import type { StgView } from "../control/stg_view.ts";
import { ENDPOINTS_PER_JOB, type StgAccess, type VolumeSource } from "../job/mod.ts";
import { RETRY_MS_FIRST, RETRY_MS_MAX, STATUS_INTERVAL_MS } from "./limits.ts";
import { downLine, stgView } from "./stg_view.ts";

/** Volumes of a group as one thread has them open. */
export interface OpenVolumes {
  readonly volumes: readonly Volume[];
  /** Background work behind them, for the daemon's main thread; ends with the signal. */
  readonly serve: (signal: AbortSignal) => Promise<void>;
  /** The emulated array that they belong to. */
  readonly array?: (() => ArrayView) | undefined;
  readonly arrayMap?: (() => readonly ArrayDeviceMap[]) | undefined;
  /** Resolves when nothing is in flight on them; nobody but a thread that ends need wait. */
  readonly close: () => void | Promise<void>;
}

export interface StgGroupParts {
  readonly clock: Clock;
  readonly random: Random;
  /** This host's name, for the host table. */
  readonly hostName: string;
  readonly openVolumes: (
    source: VolumeSource,
    hostName: string,
  ) => OpenVolumes | Promise<OpenVolumes>;
  /** Lets the id of a process of this machine that is gone be taken at once. */
  readonly processes?: ProcessTable | undefined;
  readonly log?: ((level: "info" | "warning", message: string) => void) | undefined;
}

/** A group that is up. */
interface Joined {
  readonly opened: OpenVolumes;
  readonly identity: StgIdentity;
  readonly member: StgMember;
  readonly serving: AbortController;
  readonly served: Promise<void>;
  status: StgStatus | null;
}

export class StgGroup {
  readonly config: StgConfig;
  readonly #parts: StgGroupParts;
  readonly #onLost: (error: AgentError) => void;
  #joined: Joined | null = null;
  /** Why it is down. */
  #reason = "it is not up yet";
  #hint: string | undefined;

  constructor(parts: StgGroupParts, config: StgConfig, onLost: (error: AgentError) => void) {
    this.#parts = parts;
    this.config = config;
    this.#onLost = onLost;
  }

  /** One try; a failure is the reason that is shown. @throws AgentError, as it is shown */
  async tryJoin(signal: AbortSignal): Promise<void> {
    try {
      this.#joined = await this.#join(signal);
    } catch (error) {
      if (error instanceof AgentError) this.#down(error);
      throw error;
    }
  }

  /** Keeps the group up until the signal, then closes it. */
  async keep(signal: AbortSignal): Promise<void> {
    try {
      await this.#keep(signal);
    } finally {
      await this.close();
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    for (let pauseMs = RETRY_MS_FIRST; !signal.aborted;) {
      if (this.#joined !== null) {
        await this.#whileUp(this.#joined, signal);
        pauseMs = RETRY_MS_FIRST;
      }
      if (!await sleeps(clock, pauseMs, signal)) return;
      const before = this.#reason;
      try {
        await this.tryJoin(signal);
        log?.("info", `stg "${this.config.name}" is up again`);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        if (signal.aborted) return;
        pauseMs = Math.min(2 * pauseMs, RETRY_MS_MAX);
        if (this.#reason === before) continue;
        log?.("warning", downLine(this.view()));
      }
    }
  }

  view(): StgView {
    const { config } = this;
    if (this.#joined === null) {
      const [reason, hint] = [this.#reason, this.#hint];
      return stgView({ config, uuid: null, reason, hint, status: null });
    }
    const { identity, member, status } = this.#joined;
    return stgView({ config, uuid: identity.uuid, reason: null, status, hosts: member.hosts() });
  }

  /** The emulated array of a group that is up, as it is now; null when it cannot be looked at. */
  array(): ArrayView | null {
    try {
      return this.#joined?.opened.array?.() ?? null;
    } catch (error) {
      if (error instanceof AgentError) return null;
      throw error;
    }
  }

  /** What of that array is in cache. @throws AgentError */
  arrayMap(): readonly ArrayDeviceMap[] {
    return this.#joined?.opened.arrayMap?.() ?? [];
  }

  /** @param streams of the job that uses it: one more connection for each after the first */
  lend(streams = 1): StgAccess {
    if (this.#joined === null) return { unusable: "down", detail: this.#reason };
    const { identity, member } = this.#joined;
    const { config } = this;
    try {
      return {
        part: {
          name: config.name,
          source: sourceOf(config),
          identity,
          claim: member.claim,
          lease: member.lease(ENDPOINTS_PER_JOB + streams - 1),
          timing: timingOf(config),
          encrypt: config.encrypt,
        },
      };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const unusable = error.code === "busy" ? "no_endpoint" : "down";
      return { unusable, detail: error.message };
    }
  }

  async release({ part }: Extract<StgAccess, { part: unknown }>): Promise<void> {
    const member = this.#joined?.member;
    if (member?.claim.claim === part.claim.claim) await member.release(part.lease);
  }

  #down({ message, hint }: AgentError): void {
    this.#reason = message;
    this.#hint = hint;
  }

  /** Gives the host id back and closes the volumes. Idempotent. */
  async close(): Promise<void> {
    const joined = this.#joined;
    this.#joined = null;
    if (joined === null) return;
    this.#reason = "the daemon is stopping";
    this.#hint = undefined;
    await closeJoined(joined);
  }

  async #join(signal: AbortSignal): Promise<Joined> {
    const { clock, random, hostName, processes } = this.#parts;
    const { name, host: hostId } = this.config;
    const opened = await this.#parts.openVolumes(sourceOf(this.config), hostName);
    try {
      const { volumes } = opened;
      const identity = await readStgIdentity({ name, volumes });
      const timing = timingOf(this.config);
      const medium = { identity, volumes, clock, random, timing };
      const member = await StgMember.join({ ...medium, hostId, hostName, processes, signal });
      const serving = new AbortController();
      const served = opened.serve(serving.signal);
      return { opened, identity, member, serving, served, status: null };
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  /** Refreshes the status until the group is lost or the signal fires; a lost one is closed. */
  async #whileUp(joined: Joined, signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const stop = () => end.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    joined.member.onLost((error) => {
      this.#down(error);
      this.#joined = null;
      this.#onLost(error);
      stop();
    });
    const refreshing = this.#refresh(joined, end.signal);
    await new Promise<void>((resolve) => {
      if (end.signal.aborted) resolve();
      end.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    signal.removeEventListener("abort", stop);
    void refreshing; // It may hang on a volume that does not answer.
    if (!signal.aborted) await closeJoined(joined);
  }

  async #refresh(joined: Joined, signal: AbortSignal): Promise<void> {
    do {
      try {
        joined.status = await joined.member.status();
      } catch {
        // The member itself decides when the group is lost; a status that fails is only old.
      }
    } while (await sleeps(this.#parts.clock, STATUS_INTERVAL_MS, signal));
  }
}

async function closeJoined({ opened, member, serving, served }: Joined): Promise<void> {
  await member.close();
  serving.abort();
  await served;
  opened.close();
}

/** @returns false when the signal fired */
async function sleeps(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, { signal });
  } catch {
    return false;
  }
  return !signal.aborted;
}

export function sourceOf(config: StgConfig): VolumeSource {
  const { array, volumes } = config;
  if (array !== null) return { kind: "array", directory: array, names: volumes };
  return { kind: "raw", paths: volumes, timeoutMs: timingOf(config).ioTimeoutMs };
}

/** The group's timing as its configuration says. */
export function timingOf(config: StgConfig): StpTiming {
  const { heartbeatMs, deadTimeMs: deadMs } = config;
  // A short dead time needs a shorter look at the peer; the configuration knows only the former.
  const watchMs = Math.min(stpTiming().watchMs, Math.floor(deadMs / 2));
  return stpTiming({ heartbeatMs, deadMs, watchMs });
}
