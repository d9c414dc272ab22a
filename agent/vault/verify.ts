// Proves a backup: does its media file hold what the catalog says, and with `data` does every
// frame decompress to its checksum and does a tar header stand where each member begins?
//
// Of an encrypted backup the bytes are checked as they are stored, by the checksums in the index:
// nobody here can decrypt them, and the report says so.
//
// A generator: it yields progress and findings, so that the caller can let others run, report, and
// stop at any time. A finding never ends the verification while anything is left to look at.

import { crc32 } from "../../transport/ground/crc32.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { Catalog, CatalogBackup, CatalogRow } from "../catalog/mod.ts";
import { decompressFrame, isSealed, isUnreadable } from "../media/mod.ts";
import type { FramePlace, MediaReader } from "../media/mod.ts";
import { MAX_FINDING_PATHS, MAX_FINDINGS, VERIFY_STEP } from "./limits.ts";
import type { MediaStore } from "./media_store.ts";
import { compareRows } from "./verify_rows.ts";
import { isTarHeader, TAR_BLOCK_BYTES } from "./tar_block.ts";

/** One damage. */
export interface Finding {
  readonly backup: string;
  readonly what: string;
  /** The first full source paths that it touches, as text. */
  readonly paths: readonly string[];
  readonly pathCount: number;
}

export type VerifyEvent =
  | { readonly type: "finding"; readonly finding: Finding }
  | {
    readonly type: "progress";
    readonly frames: number;
    readonly totalFrames: number;
    /** Media bytes looked at. */
    readonly bytes: number;
    readonly totalBytes: number;
  };

export interface VerifyReport {
  readonly backup: string;
  readonly findings: readonly Finding[];
  /** True when content was to be looked at and is encrypted. */
  readonly undecrypted: boolean;
  /** All findings, also those beyond the limit of the list. */
  readonly findingCount: number;
}

export interface VerifyParts {
  readonly catalog: Catalog;
  readonly store: MediaStore;
}

/** The n-th of m parts: its own share of the media files and of their frames. */
export interface Subset {
  readonly part: number;
  readonly of: number;
}

export interface VerifyOptions {
  /** Also decompresses every frame. */
  readonly data: boolean;
  /** Null looks at everything. */
  readonly subset: Subset | null;
}

/** Verifies the media file of one backup; `data` also reads every byte of it. */
export function* verifyBackup(
  parts: VerifyParts,
  backup: CatalogBackup,
  options: VerifyOptions,
): Generator<VerifyEvent, VerifyReport> {
  const findings: Finding[] = [];
  let findingCount = 0;
  for (const event of examine(parts, backup, options)) {
    if (event.type === "finding") {
      findingCount++;
      if (findings.length < MAX_FINDINGS) findings.push(event.finding);
    }
    yield event;
  }
  const undecrypted = options.data && isEncrypted(parts.store, backup.backup);
  return { backup: backup.backup, findings, findingCount, undecrypted };
}

/** Of a file that cannot be opened it is not known; whoever reads more of it says that. */
export function isEncrypted(store: MediaStore, backup: string): boolean {
  try {
    using media = store.open(backup, { framesOnly: true });
    return media.isSealed;
  } catch (error) {
    if (isUnreadable(error)) return false;
    throw error;
  }
}

/** The error of a verification that found something, null when all is sound. */
export function verifyError(reports: readonly VerifyReport[]): AgentError | null {
  const bad = reports.filter((report) => report.findingCount > 0);
  if (bad.length === 0) return null;
  const count = bad.reduce((sum, report) => sum + report.findingCount, 0);
  const [first] = bad.flatMap((report) => report.findings);
  const names = bad.map((report) => report.backup).join(", ");
  const message =
    `Cannot vouch for backup "${names}": found ${count} damaged part${
      count === 1 ? "" : "s"
    }, need none` +
    (first === undefined ? "" : `; the first: ${first.what}`);
  return new AgentError("damaged", message, {
    hint: "Make a new full backup; what is not named as damaged can still be restored.",
  });
}

function* examine(
  parts: VerifyParts,
  backup: CatalogBackup,
  options: VerifyOptions,
): Generator<VerifyEvent> {
  const find = (what: string, rows: Iterable<CatalogRow>) => finding(backup, what, rows);
  let media: MediaReader;
  try {
    media = parts.store.open(backup.backup);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    yield find(error.message, parts.catalog.rowsOfMedia(backup));
    return;
  }
  try {
    if (isInSubset(options.subset, backup.number)) {
      for (const what of compareHeads(media, backup)) yield find(what, []);
      for (const { what, row } of compareRows(media, parts.catalog, backup)) {
        yield find(what, row === null ? [] : [row]);
      }
    }
    yield* examineFrames(media, { ...parts, backup, ...options });
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    yield find(error.message, []);
  } finally {
    media.close();
  }
}

function* compareHeads(media: MediaReader, backup: CatalogBackup): Generator<string> {
  const { label, trailer } = media;
  if (label.backup !== backup.backup) yield `the label says backup ${label.backup}`;
  if (label.client !== backup.client) yield `the label says client ${label.client}`;
  if (media.sizeBytes !== backup.mediaBytes) {
    yield `the media file has ${media.sizeBytes} bytes, the catalog says ${backup.mediaBytes}`;
  }
  if (trailer.files !== backup.files || trailer.bytes !== backup.bytes) {
    yield `the trailer says ${trailer.files} files and ${trailer.bytes} bytes, the catalog ` +
      `${backup.files} and ${backup.bytes}`;
  }
}

type FrameJob = VerifyParts & VerifyOptions & { readonly backup: CatalogBackup };

/** Parts take turns, from one media file to the next and from one frame to the next. */
function isInSubset(subset: Subset | null, number: number): boolean {
  return subset === null || number % subset.of === subset.part - 1;
}

function* examineFrames(media: MediaReader, job: FrameJob): Generator<VerifyEvent> {
  const contents = job.data ? new Contents(media) : null;
  for (let sequence = 0; sequence < media.frames.length; sequence++) {
    const place = media.frames[sequence];
    if (place === undefined) continue;
    try {
      const wanted = isInSubset(job.subset, job.backup.number + sequence);
      if (contents === null && wanted) media.checkFrameHeader(sequence);
      for (const at of contents?.read(sequence, place, wanted) ?? []) {
        const what = `no tar header at ${at} in frame ${sequence}`;
        yield finding(job.backup, what, overlapping(job, at, at + 1));
      }
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const what = `frame ${sequence} at ${place.mediaOffset}: ${error.message}`;
      const end = place.tarOffset + place.tarBytes;
      yield finding(job.backup, what, overlapping(job, place.tarOffset, end));
    }
    if (sequence % VERIFY_STEP === 0 || sequence === media.frames.length - 1) {
      yield {
        type: "progress",
        frames: sequence + 1,
        totalFrames: media.frames.length,
        bytes: place.mediaOffset + place.compressedBytes,
        totalBytes: media.sizeBytes,
      };
    }
  }
}

/** Reads frames one after the other and holds them against all that is known of their content. */
class Contents {
  readonly #media: MediaReader;
  readonly #checksums: Iterator<number | null>;
  readonly #offsets: Iterator<number>;
  #nextOffset: IteratorResult<number>;

  constructor(media: MediaReader) {
    this.#media = media;
    this.#checksums = media.frameChecksums();
    this.#offsets = memberOffsets(media);
    this.#nextOffset = this.#offsets.next();
  }

  /**
   * @param wanted false only goes on to the next frame
   * @returns tar offsets at which a header should stand and does not
   * @throws AgentError `damaged` when the frame as a whole is
   * @throws SystemError
   */
  read(sequence: number, place: FramePlace, wanted: boolean): number[] {
    const offsets: number[] = [];
    const end = place.tarOffset + place.tarBytes;
    while (this.#nextOffset.done !== true && this.#nextOffset.value < end) {
      offsets.push(this.#nextOffset.value);
      this.#nextOffset = this.#offsets.next();
    }
    const checksum = this.#checksums.next().value ?? null;
    if (!wanted) return [];
    const frame = this.#media.readFrame(sequence);
    if (checksum !== null && crc32(frame) !== checksum) {
      const message = `Cannot vouch for frame "${sequence}": another CRC-32, need the index's`;
      throw new AgentError("damaged", message);
    }
    if (isSealed(frame)) return [];
    const tar = decompressFrame(frame, place.tarBytes);
    return offsets.filter((offset) => {
      const at = offset - place.tarOffset;
      return !isTarHeader(tar.subarray(at, at + TAR_BLOCK_BYTES));
    });
  }
}

/** Where members begin, by the media's own rows; stops at damage, which compareRows reports. */
function* memberOffsets(media: MediaReader): Generator<number> {
  for (let group = 0; group < media.groupCount; group++) {
    try {
      for (const row of media.groupRows(group)) yield row.tarOffset;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
  }
}

function* overlapping(
  job: VerifyParts & { readonly backup: CatalogBackup },
  start: number,
  end: number,
): Generator<CatalogRow> {
  for (const row of job.catalog.rowsOfMedia(job.backup)) {
    if (row.tarOffset >= end) return;
    if (row.tarOffset + row.tarBytes > start) yield row;
  }
}

function finding(backup: CatalogBackup, what: string, rows: Iterable<CatalogRow>): VerifyEvent {
  const paths: string[] = [];
  let pathCount = 0;
  for (const { entry } of rows) {
    if (paths.length < MAX_FINDING_PATHS) paths.push(new TextDecoder().decode(entry.path));
    pathCount++;
  }
  return { type: "finding", finding: { backup: backup.backup, what, paths, pathCount } };
}
