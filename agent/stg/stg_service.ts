// The storage transport groups of a daemon: joined once by the main thread, which holds the host
// ids and beats, and lent to the workers of jobs endpoint by endpoint.
//
// A group that cannot be joined leaves the daemon up with that group down and the reason shown,
// and is tried again. But a live holder of our host id ends the start: two agents with one id are
// a mistake in a configuration, and it is better seen at once. Later the group is down with the
// holder's name, and tried again too.

import { AgentError, withDeadline } from "../../transport/mod.ts";
import type { StgConfig } from "../config/mod.ts";
import type { ArrayDeviceMap, ArrayView } from "../control/array_view.ts";
import type { StgView } from "../control/stg_view.ts";
import { NOT_CONFIGURED, type StgAccess } from "../job/mod.ts";
import { CLOSE_MS_MAX } from "./limits.ts";
import { StgGroup, type StgGroupParts } from "./stg_group.ts";

export type StgServiceParts = StgGroupParts;

export class StgService implements AsyncDisposable {
  readonly #parts: StgServiceParts;
  readonly #groups: readonly StgGroup[];
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];
  #onLost: (name: string, error: AgentError) => void = () => {};

  private constructor(parts: StgServiceParts, configs: readonly StgConfig[]) {
    this.#parts = parts;
    this.#groups = configs.map((config) =>
      new StgGroup(parts, config, (error) => this.#onLost(config.name, error))
    );
  }

  /** @throws AgentError `busy` when a live process holds one of our host ids */
  static async open(parts: StgServiceParts, configs: readonly StgConfig[]): Promise<StgService> {
    const service = new StgService(parts, configs);
    const starts = await Promise.allSettled(service.#groups.map((group) => service.#start(group)));
    const failed = starts.find((start) => start.status === "rejected");
    if (failed === undefined) return service;
    await service[Symbol.asyncDispose]();
    throw failed.reason;
  }

  /** Calls `handler` when a group that was up is lost: jobs must not use it any more. */
  onLost(handler: (name: string, error: AgentError) => void): void {
    this.#onLost = handler;
  }

  views(): StgView[] {
    return this.#groups.map((group) => group.view());
  }

  /** Each array once, however many groups lie on it. */
  arrays(): ArrayView[] {
    const found = new Map<string, ArrayView>();
    for (const group of this.#groups) {
      const array = group.array();
      if (array !== null) found.set(array.uuid, array);
    }
    return [...found.values()];
  }

  /** What of the array with this uuid is in cache. @throws AgentError `not_found` */
  arrayMap(uuid: string): readonly ArrayDeviceMap[] {
    const group = this.#groups.find((group) => group.array()?.uuid === uuid);
    if (group !== undefined) return group.arrayMap();
    throw new AgentError("not_found", `Cannot find array "${uuid}": no group that is up has it`, {
      hint: "See GET /v1/arrays for those that are attached.",
    });
  }

  /** What a job on this group gets; the caller gives it back by `release`. */
  lend(name: string): StgAccess {
    return this.#find(name)?.lend() ?? NOT_CONFIGURED;
  }

  /** Lends every group, for a client that learns only later which one the server uses. */
  lendAll(): Record<string, StgAccess> {
    return Object.fromEntries(this.#groups.map((group) => [group.config.name, group.lend()]));
  }

  async release(access: StgAccess): Promise<void> {
    if ("part" in access) await this.#find(access.part.name)?.release(access);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const ended = Promise.all([...this.#loops, ...this.#groups.map((group) => group.close())]);
    const options = { timeoutMs: CLOSE_MS_MAX, action: "close the storage transport groups" };
    try {
      await withDeadline(this.#parts.clock, options, () => ended);
    } catch (error) {
      // Volumes that do not answer must not hold up the end; others outwait our host id.
      if (!(error instanceof AgentError) || error.code !== "timeout") throw error;
    }
  }

  #find(name: string): StgGroup | undefined {
    return this.#groups.find((group) => group.config.name === name);
  }

  async #start(group: StgGroup): Promise<void> {
    try {
      await group.tryJoin(this.#stop.signal);
    } catch (error) {
      if (!(error instanceof AgentError) || error.code === "busy") {
        this.#stop.abort(); // The others need not go on.
        throw error;
      }
    }
    this.#loops.push(group.keep(this.#stop.signal));
  }
}
