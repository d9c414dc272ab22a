// The label: first frame of a media file, plain text that says what the file is and how to restore
// it without this program (`head -c 4096 FILE` shows it), with one `key: value` line per fact so
// that the catalog can be made again.
//
//   prose and commands, then an empty line, then the facts in this order:
//     format: 2, or 3 when encrypted, or 4 when continued (1 is read too: full backups only)
//     backup, client, kind, level: plain text
//     needs: ids of the backups that an incremental one builds on, the full one first and the
//       parent last, one line each; when there are very many, the full one and the last ones
//     database: JSON string or null
//     encryption: age, only in format 3
//     path, exclude: JSON strings, one line each, any number; the rules of exclude in their order
//     exclude-caches: yes, one-file-system: yes, exclude-larger-than: bytes, ignore-file: JSON
//       string: the rest of the selection (source_selection.ts), each only when it is set
//     started: RFC 3339 with milliseconds, UTC
//     continued: yes, when the file goes on from a backup that was cut; its label takes the place
//       of the first one, with the same length
//     check: CRC-32 of everything before this line, 8 hexadecimal digits
//
// Pure: no I/O.

import { crc32 } from "../../transport/ground/crc32.ts";
import type { SourceSelection } from "../source_selection.ts";
import { labelProse } from "./label_prose.ts";
import { MAX_LABEL_BYTES, MAX_NEEDS_LISTED } from "./limits.ts";
import { damagedFrame, decodeSkippable, encodeSkippable } from "./skippable_frame.ts";

const FORMAT = "2";
/** A reader of format 2 would take its frames for damaged ones. */
const FORMAT_ENCRYPTED = "3";
/**
 * A reader of format 2 would show what was deleted between the cut and the end. Files that were
 * continued before there was this format have format 2 and the same line `continued`.
 */
const FORMAT_CONTINUED = "4";
const FORMATS: readonly string[] = ["1", FORMAT, FORMAT_ENCRYPTED, FORMAT_CONTINUED];

export type BackupKind = "filesystem" | "postgresql" | "sqlite" | "command";

const KINDS: readonly BackupKind[] = ["filesystem", "postgresql", "sqlite", "command"];

/** What is known of a backup when it begins. */
export interface BackupStart extends SourceSelection {
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
  /** Milliseconds since 1970, UTC. */
  readonly startedMs: number;
}

/** What a media file says of its backup. */
export interface MediaLabel extends BackupStart {
  /** How its data frames are encrypted; null: they are plain zstd frames. */
  readonly encryption: "age" | null;
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
 * @param frameBytes length of that place
 * @returns null when it is longer than that
 */
export function encodeContinuedLabel(
  start: BackupStart,
  frameBytes: number,
): Uint8Array<ArrayBuffer> | null {
  // Only plain files are gone on with.
  const label: MediaLabel = { ...start, encryption: null, continued: true };
  const spare = frameBytes - encodeText(label, "").length;
  if (spare < 0) return null;
  return encodeText(label, spare === 0 ? "" : `${" ".repeat(spare - 1)}\n`);
}

/** @param padding a line of spaces, or nothing */
function encodeText(label: MediaLabel, padding: string): Uint8Array<ArrayBuffer> {
  const facts = [
    `format: ${formatOf(label)}`,
    `backup: ${label.backup}`,
    `client: ${label.client}`,
    `kind: ${label.kind}`,
    `level: ${label.level}`,
    ...listedNeeds(label).map((backup) => `needs: ${backup}`),
    `database: ${JSON.stringify(label.database)}`,
    ...(label.encryption === null ? [] : [`encryption: ${label.encryption}`]),
    ...label.paths.map((path) => `path: ${JSON.stringify(path)}`),
    ...selectionFacts(label),
    `started: ${new Date(label.startedMs).toISOString()}`,
    ...(label.continued ? ["continued: yes"] : []),
  ];
  const prose = `${labelProse(label, listedNeeds(label))}${padding}`;
  const text = `${prose}\n${facts.join("\n")}\n`;
  const body = new TextEncoder().encode(text);
  const check = crc32(body).toString(16).padStart(8, "0");
  return encodeSkippable("label", new TextEncoder().encode(`${text}check: ${check}\n`));
}

function formatOf({ encryption, continued }: MediaLabel): string {
  if (continued) return FORMAT_CONTINUED;
  return encryption === null ? FORMAT : FORMAT_ENCRYPTED;
}

function selectionFacts(selection: SourceSelection): string[] {
  const { exclude, excludeLargerThan, ignoreFile } = selection;
  return [
    ...exclude.map((rule) => `exclude: ${JSON.stringify(rule)}`),
    ...selection.excludeCaches ? ["exclude-caches: yes"] : [],
    ...selection.oneFileSystem ? ["one-file-system: yes"] : [],
    ...excludeLargerThan === null ? [] : [`exclude-larger-than: ${excludeLargerThan}`],
    ...ignoreFile === null ? [] : [`ignore-file: ${JSON.stringify(ignoreFile)}`],
  ];
}

function readSelection(facts: ReadonlyMap<string, readonly string[]>): SourceSelection {
  const [bytes] = facts.get("exclude-larger-than") ?? [];
  const [ignoreFile] = facts.get("ignore-file") ?? [];
  if (bytes !== undefined && !/^\d{1,15}$/.test(bytes)) {
    throw damagedFrame("label", `exclude-larger-than ${bytes}`, "a count of bytes");
  }
  return {
    exclude: (facts.get("exclude") ?? []).map(readText),
    excludeCaches: facts.has("exclude-caches"),
    oneFileSystem: facts.has("one-file-system"),
    excludeLargerThan: bytes === undefined ? null : Number(bytes),
    ignoreFile: ignoreFile === undefined ? null : readText(ignoreFile),
  };
}

/** Of a long chain the full backup and the last ones; each of these names the ones before it. */
function listedNeeds({ needs }: MediaLabel): readonly string[] {
  if (needs.length <= MAX_NEEDS_LISTED) return needs;
  return [...needs.slice(0, 1), ...needs.slice(1 - MAX_NEEDS_LISTED)];
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
  const format = one("format");
  if (!FORMATS.includes(format)) {
    throw damagedFrame("label", `format ${format}`, FORMATS.join(" or "));
  }
  const encryption = format === FORMAT_ENCRYPTED ? one("encryption") : null;
  if (encryption !== null && encryption !== "age") {
    throw damagedFrame("label", `encryption ${encryption}`, "age");
  }
  if (format === FORMAT_CONTINUED && one("continued") !== "yes") {
    throw damagedFrame("label", `continued: ${one("continued")}`, "yes");
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
    ...readSelection(facts),
    startedMs,
    encryption,
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
