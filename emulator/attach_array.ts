// Attaches a host (a process, or a thread of one) to an array.
//
// Life cycle: attach, open volumes, use them, close the attachment, which closes the volumes. The
// attachment holds array.lock shared, so that the array cannot be removed under it.

import { AgentError } from "../transport/ground/error.ts";
import { type ArrayParts, onArrayFiles } from "./array_directory.ts";
import { type DeviceMap, mapArray } from "./array_map.ts";
import { type ArrayStatus, describeArray } from "./array_status.ts";
import { ChannelAdapter } from "./channel_adapter.ts";
import { ChannelDirector } from "./channel_director.ts";
import { runDirectorLoop } from "./director_loop.ts";
import { FileLock } from "./file_lock.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { type HostRow, takeHostRow } from "./host_table.ts";
import { closeArray, type OpenArray, openArray, processId, withSetupLock } from "./open_array.ts";
import type { DeviceFigures, HostWaits } from "./statistics.ts";

export interface AttachOptions {
  /** Name of the host in counters, and for the rules of faults. */
  readonly hostName: string;
}

/** What one attachment knows about itself. */
export interface AttachmentCounters extends DeviceFigures, HostWaits {
  readonly hostName: string;
  /** Memory boards that were found lost and made anew since the array was created. */
  readonly replacedBoards: number;
  /** Why the last background pass of this process failed; null when it did not. */
  readonly directorFailure: string | null;
}

export class AttachedArray {
  readonly geometry: ArrayGeometry;
  readonly #hostName: string;
  readonly #parts: ArrayParts;
  readonly #array: OpenArray;
  readonly #channel: ChannelDirector;
  readonly #row: HostRow | null;
  readonly #adapters = new Set<ChannelAdapter>();
  readonly #stop = new AbortController();
  #directorFailure: string | null = null;
  #closed = false;

  constructor(array: OpenArray, options: AttachOptions, parts: ArrayParts) {
    this.geometry = array.geometry;
    this.#hostName = options.hostName;
    this.#parts = parts;
    this.#array = array;
    this.#row = listHost(array, options.hostName, parts);
    this.#channel = new ChannelDirector(array.boards, array.director, {
      statistics: array.statistics,
      faults: array.faults,
      onRequest: () => this.#row?.onRequest(),
    });
  }

  /**
   * Opens a connection to one volume; each call opens another.
   * @throws AgentError `not_found` naming the volumes that exist | `closed`
   */
  volume(name: string): ChannelAdapter {
    this.#checkOpen();
    const device = this.geometry.devices.find((candidate) => candidate.name === name);
    if (device === undefined) {
      const last = this.geometry.devices.at(-1)?.name ?? "none";
      throw new AgentError(
        "not_found",
        `Cannot open volume "${name}": array "${this.#array.directory.path}" has ` +
          `${last === "v0" ? "only v0" : `v0 to ${last}`}, need one of them`,
        { hint: "Correct the key volumes in the configuration." },
      );
    }
    const adapter = new ChannelAdapter(device, this.#channel, (closed) => {
      this.#adapters.delete(closed);
    });
    this.#adapters.add(adapter);
    return adapter;
  }

  /**
   * Destages in the background until the signal fires or the attachment is closed. Await it before
   * closing. Of several processes that run it one is active and the others stand by.
   */
  async runDiskDirector(options: { readonly signal: AbortSignal }): Promise<void> {
    this.#checkOpen();
    const lock = new FileLock(this.#array.directory.directorLockPath, this.#parts);
    const signal = AbortSignal.any([options.signal, this.#stop.signal]);
    const { boards, director } = this.#array;
    const onFailure = (error: AgentError | null) => {
      this.#directorFailure = error === null ? null : error.message;
      this.#row?.publish();
    };
    await runDirectorLoop(
      { boards, director, clock: this.#parts.clock, lock, onFailure },
      { signal },
    );
  }

  counters(): AttachmentCounters {
    return {
      ...this.#array.statistics.total(),
      ...this.#array.statistics.waits(),
      hostName: this.#hostName,
      replacedBoards: this.#array.boards.filter((board) => board.origin === "replaced").length,
      directorFailure: this.#directorFailure,
    };
  }

  /** The array as `arrayStatus` shows it, by what is open here already. @throws AgentError */
  status(): ArrayStatus {
    this.#checkOpen();
    this.#row?.publish();
    return onArrayFiles(
      this.#array.directory.path,
      () => describeArray(this.#parts, this.#array, true),
    );
  }

  /** What of each device is in cache, by cylinders. @throws AgentError */
  map(): readonly DeviceMap[] {
    this.#checkOpen();
    return onArrayFiles(
      this.#array.directory.path,
      () => mapArray(this.#parts.files, this.#array),
    );
  }

  /** Closes the volumes and detaches; the last one out destages everything. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop.abort();
    for (const adapter of [...this.#adapters]) adapter.close();
    try {
      closeArray(this.#array);
    } finally {
      this.#row?.close();
    }
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    const name = this.#array.directory.path;
    throw new AgentError("closed", `Cannot use array "${name}": detached, need it attached`);
  }
}

/**
 * Attaches to the array in `directory`. Memory boards that vanished are made anew, empty.
 * @throws AgentError `not_found` | `damaged` | `mismatch` | `unsupported` | `busy` | `volume`
 *   | `no_space` | `failed`
 */
export function attachArray(
  directory: string,
  options: AttachOptions,
  parts: ArrayParts,
): AttachedArray {
  const array = openArray(directory, parts, options);
  try {
    return new AttachedArray(array, options, parts);
  } catch (error) {
    closeArray(array);
    throw error;
  }
}

/** Gives the host a row in the host table. */
function listHost(array: OpenArray, hostName: string, parts: ArrayParts): HostRow | null {
  const { directory, geometry, statistics } = array;
  const host = { hostName, pid: processId(parts.files), statistics };
  return withSetupLock(
    directory,
    parts,
    () => takeHostRow(parts, directory.memoryPath(geometry), host),
  );
}
