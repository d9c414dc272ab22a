// The host table: what each attached host did, for others to see (`array status`).
//
// A row is a file next to the memory boards (host_row_layout.ts). Its holder has it locked, and the
// lock dies with the holder: the row of a host that ended, or was killed, stays to be seen until
// the next host takes it. What it had counted then goes to the row `former`, so that the sums of
// all rows never go back while the memory lasts. A row has one writer; `former` changes under
// setup.lock only. A host killed between the two steps of that may lose the figures of the row.

import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { SharedMemory } from "../transport/runtime/runtime.ts";
import { type ArrayParts, exists, readWhole, removeIfThere } from "./array_directory.ts";
import { FileLock } from "./file_lock.ts";
import {
  decodeHostRow,
  encodeHostRow,
  HOST_ROW_HEADER_BYTES,
  type HostRowHeader,
} from "./host_row_layout.ts";
import { MAX_HOST_ROWS, PUBLISH_REQUESTS } from "./limits.ts";
import { HostStatistics } from "./statistics.ts";

/** A host as others see it. */
export interface HostRowView {
  readonly hostName: string;
  readonly pid: number;
  readonly attached: boolean;
  readonly statistics: HostStatistics;
}

/** The row of this attachment. */
export class HostRow {
  readonly #lock: FileLock;
  readonly #memory: SharedMemory;
  readonly #statistics: HostStatistics;
  #requests = 0;
  #closed = false;

  constructor(lock: FileLock, memory: SharedMemory, statistics: HostStatistics) {
    this.#lock = lock;
    this.#memory = memory;
    this.#statistics = statistics;
  }

  /** Publishes after each of the first requests, then after some of them. */
  onRequest(): void {
    this.#requests++;
    if (this.#requests < PUBLISH_REQUESTS || this.#requests % PUBLISH_REQUESTS === 0) {
      this.publish();
    }
  }

  publish(): void {
    if (!this.#closed) this.#memory.write(HOST_ROW_HEADER_BYTES, this.#statistics.bytes);
  }

  /** Leaves the last figures in the row and gives it up. Idempotent. */
  close(): void {
    this.publish();
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.close();
    this.#lock.close();
  }
}

/**
 * Takes the first row that nobody holds; the caller holds setup.lock.
 * @returns null when there is none, or no room for one: the host is then not listed
 */
export function takeHostRow(
  parts: ArrayParts,
  memoryPath: string,
  host: Omit<HostRowHeader, "devices"> & { readonly statistics: HostStatistics },
): HostRow | null {
  try {
    for (let row = 0; row < MAX_HOST_ROWS; row++) {
      const path = rowPath(memoryPath, row);
      const lock = new FileLock(path, parts);
      if (lock.tryTake("exclusive")) return fillRow(parts, { memoryPath, path, lock }, host);
      lock.close();
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
  return null;
}

function fillRow(
  parts: ArrayParts,
  place: { readonly memoryPath: string; readonly path: string; readonly lock: FileLock },
  host: Omit<HostRowHeader, "devices"> & { readonly statistics: HostStatistics },
): HostRow {
  const { files, memories } = parts;
  const { lock, path } = place;
  const { statistics } = host;
  try {
    const before = readRow(files, path, statistics.devices);
    if (before !== null) {
      const formerPath = `${place.memoryPath}/former`;
      const former = readRow(files, formerPath, statistics.devices)?.statistics ??
        new HostStatistics(statistics.devices);
      former.add(before.statistics);
      writeRow(files, path, { hostName: "", pid: 0 }, new HostStatistics(statistics.devices));
      writeRow(files, formerPath, { hostName: "", pid: 0 }, former);
    }
    writeRow(files, path, host, statistics);
    const bytes = HOST_ROW_HEADER_BYTES + statistics.bytes.length;
    return new HostRow(lock, memories.map(path, bytes), statistics);
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** Rows of hosts that are attached, or ended last, and the sum of what hosts before them did. */
export function readHostTable(
  parts: Pick<ArrayParts, "files" | "clock">,
  memoryPath: string,
  devices: number,
): { readonly rows: readonly HostRowView[]; readonly former: HostStatistics } {
  const rows: HostRowView[] = [];
  for (let row = 0; row < MAX_HOST_ROWS; row++) {
    const path = rowPath(memoryPath, row);
    const found = readRow(parts.files, path, devices);
    if (found === null || found.header.hostName === "") continue;
    const { hostName, pid } = found.header;
    const attached = isHeld(parts, path);
    rows.push({ hostName, pid, attached, statistics: found.statistics });
  }
  const former = readRow(parts.files, `${memoryPath}/former`, devices)?.statistics;
  return { rows, former: former ?? new HostStatistics(devices) };
}

/** Removes the table, with its array or before its devices change. @throws SystemError */
export function removeHostTable(files: Files, memoryPath: string): void {
  for (let row = 0; row < MAX_HOST_ROWS; row++) removeIfThere(files, rowPath(memoryPath, row));
  removeIfThere(files, `${memoryPath}/former`);
}

function rowPath(memoryPath: string, row: number): string {
  return `${memoryPath}/host${row}`;
}

function isHeld(parts: Pick<ArrayParts, "files" | "clock">, path: string): boolean {
  const lock = new FileLock(path, parts);
  try {
    return !lock.tryTake("exclusive");
  } finally {
    lock.close();
  }
}

function readRow(
  files: Files,
  path: string,
  devices: number,
): { readonly header: HostRowHeader; readonly statistics: HostStatistics } | null {
  if (!exists(files, path)) return null;
  const statistics = new HostStatistics(devices);
  const bytes = readWhole(files, path, HOST_ROW_HEADER_BYTES + statistics.bytes.length);
  const header = decodeHostRow(bytes.subarray(0, HOST_ROW_HEADER_BYTES));
  const figures = bytes.subarray(HOST_ROW_HEADER_BYTES);
  const whole = header?.devices === devices && figures.length === statistics.bytes.length;
  if (header === null || !whole) return null;
  statistics.bytes.set(figures);
  return { header, statistics };
}

/** In place, since the file carries the lock. */
function writeRow(
  files: Files,
  path: string,
  host: Omit<HostRowHeader, "devices">,
  statistics: HostStatistics,
): void {
  const flags = { access: "write", create: true, mode: 0o600 } as const;
  const descriptor = files.open(AT_CWD, path, flags);
  try {
    const { hostName, pid } = host;
    const header = encodeHostRow({ hostName, pid, devices: statistics.devices });
    files.writeAllAt(descriptor, HOST_ROW_HEADER_BYTES, statistics.bytes);
    files.writeAllAt(descriptor, 0, header);
  } finally {
    files.close(descriptor);
  }
}
