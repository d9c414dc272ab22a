// The label: first frame of a media file, plain text that says what the file is and how to restore
// it without this program (`head -c 4096 FILE` shows it), with one `key: value` line per fact so
// that the catalog can be made again.
//
//   prose and commands, then an empty line, then the facts in this order:
//     format: 2 (1 is read too: full backups only)
//     backup, client, kind, level: plain text
//     needs: ids of the backups that an incremental one builds on, the full one first and the
//       parent last, one line each; when there are very many, the full one and the last ones
//     database: JSON string or null
//     path, exclude: JSON strings, one line each, any number
//     started: RFC 3339 with milliseconds, UTC
//     continued: yes, when the file goes on from a backup that was cut; its label takes the place
//       of the first one, with the same length
//     check: CRC-32 of everything before this line, 8 hexadecimal digits
//
// Pure: no I/O.

import { crc32 } from "../../transport/ground/crc32.ts";
import { MAX_LABEL_BYTES, MAX_NEEDS_LISTED } from "./limits.ts";
import { damagedFrame, decodeSkippable, encodeSkippable } from "./skippable_frame.ts";

const FORMAT = "2";
const FORMATS: readonly string[] = ["1", FORMAT];

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
  readonly level: "full" | "incremental";
  /** What an incremental backup builds on: the full backup first, the parent last. */
  readonly needs: readonly string[];
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  /** Milliseconds since 1970, UTC. */
  readonly startedMs: number;
  /**
   * The file goes on from a backup that was cut: it may hold what was changed or deleted between
   * the two, before what makes up for it.
   */
  readonly continued?: true | undefined;
}

/** Encodes the label as one whole skippable frame. */
export function encodeLabel(label: MediaLabel): Uint8Array<ArrayBuffer> {
  return encodeText(label, "");
}

/**
 * Encodes the label of a file that goes on from a cut one, for the place of that one's label.
 * @returns null when it is longer than that
 */
export function encodeContinuedLabel(
  label: MediaLabel,
  frameBytes: number,
): Uint8Array<ArrayBuffer> | null {
  const continued = { ...label, continued: true } as const;
  const spare = frameBytes - encodeText(continued, "").length;
  return spare < 0 ? null : encodeText(continued, " ".repeat(spare));
}

/** @param spaces stand at the end of the prose's last line */
function encodeText(label: MediaLabel, spaces: string): Uint8Array<ArrayBuffer> {
  const facts = [
    `format: ${FORMAT}`,
    `backup: ${label.backup}`,
    `client: ${label.client}`,
    `kind: ${label.kind}`,
    `level: ${label.level}`,
    ...listedNeeds(label).map((backup) => `needs: ${backup}`),
    `database: ${JSON.stringify(label.database)}`,
    ...label.paths.map((path) => `path: ${JSON.stringify(path)}`),
    ...label.exclude.map((glob) => `exclude: ${JSON.stringify(glob)}`),
    `started: ${new Date(label.startedMs).toISOString()}`,
    ...(label.continued ? ["continued: yes"] : []),
  ];
  const prose = label.level === "full" ? fullProse(label) : incrementalProse(label);
  const text = `${prose}${spaces}\n\n${facts.join("\n")}\n`;
  const body = new TextEncoder().encode(text);
  const check = crc32(body).toString(16).padStart(8, "0");
  return encodeSkippable("label", new TextEncoder().encode(`${text}check: ${check}\n`));
}

/** A continued file needs the room of this line for its facts. */
function listLine({ backup, continued }: MediaLabel): string {
  return continued ? "" : `  List it:    zstd -dc ${backup}.tar.zst | tar -tvf -\n`;
}

function fullProse(label: MediaLabel): string {
  const file = `${label.backup}.tar.zst`;
  const options = "--xattrs --xattrs-include='*' --acls --numeric-owner -xpf -";
  // Names that are gone again are deleted as they are after an incremental backup.
  const unpackAll = `tar ${label.continued ? "--listed-incremental=/dev/null " : ""}${options}`;
  return `This is a backup: a POSIX pax tar archive in zstd frames. zstd and GNU tar restore it.

  Restore everything below the current directory (as root):
    zstd -dc ${file} | ${unpackAll}
  Restore one file or directory (its path without the leading "/"):
    zstd -dc ${file} | tar ${options} PATH
${listLine(label)}  Check it:   zstd -t ${file}`;
}

/** Of a long chain the full backup and the last ones; each of these names the ones before it. */
function listedNeeds({ needs }: MediaLabel): readonly string[] {
  if (needs.length <= MAX_NEEDS_LISTED) return needs;
  return [...needs.slice(0, 1), ...needs.slice(1 - MAX_NEEDS_LISTED)];
}

function incrementalProse(label: MediaLabel): string {
  const file = `${label.backup}.tar.zst`;
  const listed = listedNeeds(label);
  const missing = label.needs.length - listed.length;
  const gap = missing === 0 ? "" : `
  The list leaves out ${missing} backups after the first; the label of the second one names them.
`;
  return `This is an incremental backup: a POSIX pax tar archive in zstd frames with what changed
since the backup before it, deletions included. zstd and GNU tar restore it after the full backup
and every incremental one in between, which are the lines "needs" below, oldest first.

  Restore everything below the current directory, which is empty at first (as root):
    for b in ${[...listed, label.backup].join(" ")}; do
      zstd -dc $b.tar.zst | tar --listed-incremental=/dev/null --xattrs --xattrs-include='*' \\
        --acls --numeric-owner -xpf - || break
    done
${gap}${listLine(label)}  Check it:   zstd -t ${file}`;
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
  if (!FORMATS.includes(one("format"))) {
    throw damagedFrame("label", `format ${one("format")}`, FORMATS.join(" or "));
  }
  const kind = KINDS.find((name) => name === one("kind"));
  if (kind === undefined) throw damagedFrame("label", `kind ${one("kind")}`, KINDS.join(", "));
  const level = one("level");
  if (level !== "full" && level !== "incremental") {
    throw damagedFrame("label", `level ${level}`, "full or incremental");
  }
  const needs = (facts.get("needs") ?? []).map(checkBackupId);
  if ((level === "full") !== (needs.length === 0)) {
    throw damagedFrame("label", `${needs.length} backups that it needs`, `those of ${level}`);
  }
  const startedMs = Date.parse(one("started"));
  if (!Number.isFinite(startedMs)) throw damagedFrame("label", one("started"), "a time");
  const database = one("database");
  return {
    backup: checkBackupId(one("backup")),
    client: one("client"),
    kind,
    level,
    needs,
    database: database === "null" ? null : readText(database),
    paths: (facts.get("path") ?? []).map(readText),
    exclude: (facts.get("exclude") ?? []).map(readText),
    startedMs,
    ...(facts.has("continued") ? { continued: true } : {}),
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
