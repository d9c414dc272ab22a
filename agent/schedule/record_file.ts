// The file with the schedules' records: read when a daemon starts, written beside and renamed.
//
// It is not synced: an fsync would hold up the heartbeats of this thread for as long as the disk
// takes for the backups that run. A power failure may cost the last changes, or the file; then a
// run that was missed is not reported.

import { posix } from "node:path";
import { AT_CWD, type Files, readSmallFile, SystemError } from "../../transport/runtime/mod.ts";
import { FILE_BYTES_MAX } from "./limits.ts";
import { decodeRecords, encodeRecords, type Records } from "./schedule_record.ts";

export class RecordFile {
  readonly #files: Files;
  readonly #path: string;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /** Makes its directory, unless that is there or cannot be made: `write` finds out then. */
  makeDirectory(): void {
    try {
      this.#files.makeDirectory(AT_CWD, posix.dirname(this.#path), 0o700);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  get path(): string {
    return this.#path;
  }

  /** @returns null for a file that is damaged or cannot be read; one that is not there is empty */
  read(): Records | null {
    try {
      const bytes = readSmallFile(this.#files, this.#path, FILE_BYTES_MAX);
      return bytes === null ? null : decodeRecords(bytes);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return error.errno === "ENOENT" ? new Map() : null;
    }
  }

  /** @throws SystemError; the file is as it was then */
  write(records: Records): void {
    const fresh = `${this.#path}.new`;
    const flags = { access: "write", create: true, truncate: true, mode: 0o600 } as const;
    const descriptor = this.#files.open(AT_CWD, fresh, flags);
    try {
      this.#files.writeAll(descriptor, encodeRecords(records));
    } finally {
      this.#files.close(descriptor);
    }
    this.#files.rename(AT_CWD, fresh, AT_CWD, this.#path);
  }
}
