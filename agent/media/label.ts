// The label: first frame of a media file, plain text that says what the file is and how to restore
// it without this program (`head -c 4096 FILE` shows it), with one `key: value` line per fact so
// that the catalog can be made again.
//
//   prose and commands, then an empty line, then the facts in this order:
//     format: 1
//     backup, client, kind, level: plain text
//     database: JSON string or null
//     path, exclude: JSON strings, one line each, any number
//     started: RFC 3339 with milliseconds, UTC
//     check: CRC-32 of everything before this line, 8 hexadecimal digits
//
// Pure: no I/O.

import { crc32 } from "../../transport/ground/crc32.ts";
import { MAX_LABEL_BYTES } from "./limits.ts";
import { damagedFrame, decodeSkippable, encodeSkippable } from "./skippable_frame.ts";

const FORMAT = "1";

export type BackupKind = "filesystem" | "postgresql" | "sqlite" | "command";

const KINDS: readonly BackupKind[] = ["filesystem", "postgresql", "sqlite", "command"];

/** What is known of a backup when it begins. */
export interface MediaLabel {
  /** Id of the backup and stem of its file: only A-Z a-z 0-9 . _ - */
  readonly backup: string;
  readonly client: string;
  readonly kind: BackupKind;
  /** Name of the database; null for file systems. */
  readonly database: string | null;
  readonly level: "full";
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  /** Milliseconds since 1970, UTC. */
  readonly startedMs: number;
}

/** Encodes the label as one whole skippable frame. */
export function encodeLabel(label: MediaLabel): Uint8Array<ArrayBuffer> {
  const facts = [
    `format: ${FORMAT}`,
    `backup: ${label.backup}`,
    `client: ${label.client}`,
    `kind: ${label.kind}`,
    `level: ${label.level}`,
    `database: ${JSON.stringify(label.database)}`,
    ...label.paths.map((path) => `path: ${JSON.stringify(path)}`),
    ...label.exclude.map((glob) => `exclude: ${JSON.stringify(glob)}`),
    `started: ${new Date(label.startedMs).toISOString()}`,
  ];
  const text = `${prose(label.backup)}\n${facts.join("\n")}\n`;
  const body = new TextEncoder().encode(text);
  const check = crc32(body).toString(16).padStart(8, "0");
  return encodeSkippable("label", new TextEncoder().encode(`${text}check: ${check}\n`));
}

function prose(backup: string): string {
  const file = `${backup}.tar.zst`;
  const unpack = `tar --xattrs --xattrs-include='*' --acls --numeric-owner -xpf -`;
  return `This is a backup: a POSIX pax tar archive in zstd frames. zstd and GNU tar restore it.

  Restore everything below the current directory (as root):
    zstd -dc ${file} | ${unpack}
  Restore one file or directory (its path without the leading "/"):
    zstd -dc ${file} | ${unpack} PATH
  List it:    zstd -dc ${file} | tar -tvf -
  Check it:   zstd -t ${file}
`;
}

/**
 * Decodes a whole label frame.
 * @throws AgentError `damaged`
 */
export function decodeLabel(frame: Uint8Array): MediaLabel {
  const payload = decodeSkippable("label", frame);
  if (payload.length > MAX_LABEL_BYTES) {
    throw damagedFrame("label", `${payload.length} bytes`, `at most ${MAX_LABEL_BYTES}`);
  }
  const facts = readFacts(payload);
  const one = (key: string): string => {
    const values = facts.get(key) ?? [];
    const [value] = values;
    if (value === undefined || values.length > 1) {
      throw damagedFrame("label", `${values.length} lines "${key}"`, "one");
    }
    return value;
  };
  if (one("format") !== FORMAT) throw damagedFrame("label", `format ${one("format")}`, FORMAT);
  const kind = KINDS.find((name) => name === one("kind"));
  if (kind === undefined) throw damagedFrame("label", `kind ${one("kind")}`, KINDS.join(", "));
  if (one("level") !== "full") throw damagedFrame("label", `level ${one("level")}`, "full");
  const startedMs = Date.parse(one("started"));
  if (!Number.isFinite(startedMs)) throw damagedFrame("label", one("started"), "a time");
  const database = one("database");
  return {
    backup: checkBackupId(one("backup")),
    client: one("client"),
    kind,
    level: "full",
    database: database === "null" ? null : readText(database),
    paths: (facts.get("path") ?? []).map(readText),
    exclude: (facts.get("exclude") ?? []).map(readText),
    startedMs,
  };
}

/** The facts after the last empty line, by key, once the check line is found to hold. */
function readFacts(payload: Uint8Array): Map<string, string[]> {
  const text = new TextDecoder().decode(payload);
  const checkAt = text.lastIndexOf("\ncheck: ") + 1;
  const body = text.slice(0, checkAt);
  const check = crc32(new TextEncoder().encode(body)).toString(16).padStart(8, "0");
  if (text.slice(checkAt) !== `check: ${check}\n`) {
    throw damagedFrame("label", "a wrong check line", "the checksum of its text");
  }
  const facts = new Map<string, string[]>();
  for (const line of body.slice(body.lastIndexOf("\n\n") + 2).split("\n")) {
    const colon = line.indexOf(": ");
    if (colon < 0) continue;
    const key = line.slice(0, colon);
    facts.set(key, [...(facts.get(key) ?? []), line.slice(colon + 2)]);
  }
  return facts;
}

function readText(json: string): string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw damagedFrame("label", `${json} (${String(cause)})`, "a JSON string");
  }
  if (typeof value !== "string") throw damagedFrame("label", json, "a JSON string");
  return value;
}

/** The id becomes a file name: nothing else may come from a label. */
function checkBackupId(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(id)) {
    throw damagedFrame("label", `backup id ${JSON.stringify(id)}`, "letters, digits, . _ -");
  }
  return id;
}
