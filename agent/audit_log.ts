// Who did what: one JSON object on a line, appended, never changed. At its size the file gets a
// number and a new one begins; the oldest goes.
//
// Invariants:
//  1. Each line is one write to a file opened for appending, so that a crash cuts at most the last.
//  2. It never holds a token, a cookie or the content of a request beyond what was asked for.
//  3. Strangers have files of their own, NAME.strangers: however much they try, nothing of known
//     people is displaced.
//  4. A full disk does not stop the daemon: the loss is said in its log.

import { AT_CWD, type Clock, type Files, SystemError } from "../transport/mod.ts";
import { isStranger, tallied } from "./stranger_tally.ts";

/** Bytes of one file: some 20,000 lines. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Files besides the current one: years. */
const OLD_FILES = 4;
/** Characters of a text in an entry. */
const TEXT_MAX = 512;

export interface AuditEntry {
  /** For example `{ by: "session", address: "127.0.0.1" }` or `{ by: "peer", name: "web01" }`. */
  readonly who: Readonly<Record<string, string>>;
  /** For example "POST /v1/jobs". */
  readonly action: string;
  readonly result: string;
  readonly details?: Readonly<Record<string, string | null>>;
}

export type Audit = (entry: AuditEntry) => void;

export interface AuditParts {
  readonly files: Files;
  readonly clock: Pick<Clock, "wallMs" | "sleep">;
  /** The end of the daemon: what was counted until then is written. */
  readonly signal: AbortSignal;
  readonly onTrouble: (message: string) => void;
  readonly fileBytes?: number;
}

/** @param path null writes nothing */
export function openAudit(path: string | null, parts: AuditParts): Audit {
  if (path === null) return () => {};
  const known = ring(path, parts);
  const strangers = tallied(ring(`${path}.strangers`, parts), parts);
  return (entry) => isStranger(entry) ? strangers(entry) : known(entry);
}

/** A file and the old ones beside it. */
function ring(path: string, parts: AuditParts): Audit {
  return (entry) => {
    const time = new Date(parts.clock.wallMs()).toISOString();
    const text = JSON.stringify(
      { time, ...entry },
      (_key, value) => typeof value === "string" ? value.slice(0, TEXT_MAX) : value,
    );
    try {
      append(parts, path, new TextEncoder().encode(`${text}\n`));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      parts.onTrouble(`cannot write the audit log "${path}": ${error.errno}`);
    }
  };
}

function append({ files, fileBytes }: AuditParts, path: string, line: Uint8Array): void {
  const open = () =>
    files.open(AT_CWD, path, { access: "write", create: true, append: true, mode: 0o600 });
  let descriptor = open();
  try {
    const { sizeBytes } = files.statDescriptor(descriptor);
    if (sizeBytes > 0 && sizeBytes + line.length > (fileBytes ?? FILE_BYTES_MAX)) {
      files.close(descriptor);
      rotate(files, path);
      descriptor = open();
    }
    files.writeAll(descriptor, line);
  } finally {
    files.close(descriptor);
  }
}

/** NAME.1 is the newest of the old ones. */
function rotate(files: Files, path: string): void {
  for (let number = OLD_FILES - 1; number >= 0; number--) {
    const from = number === 0 ? path : `${path}.${number}`;
    try {
      files.rename(AT_CWD, from, AT_CWD, `${path}.${number + 1}`);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== "ENOENT") throw error;
    }
  }
}
