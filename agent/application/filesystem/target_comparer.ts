// Holds what was restored against the media and the catalog: every byte of content against the same
// records once more, every attribute of each entry, its extended attributes against its member.
//
// It is fed like a restorer, and changes nothing. A difference never ends it: each is told with the
// path. What lies outside the target is not looked at (target_view.ts).

import { equalBytes } from "../../../transport/ground/equal_bytes.ts";
import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { Entry, Xattr } from "../../entry.ts";
import { entryDifferences } from "../../entry_difference.ts";
import type { TarPieces } from "../../record.ts";
import type { MemberExtra, SparseMap } from "../../tar/mod.ts";
import type { Totals } from "../application.ts";
import { RecordReader } from "../record_reader.ts";
import { isLabel } from "../write_xattrs.ts";
import { type FoundObject, TargetView } from "./target_view.ts";

/** What differs: an attribute by name, or more than that. */
export type Difference =
  | ReturnType<typeof entryDifferences>[number]
  | "missing"
  | "content"
  | "link"
  | "xattr"
  /** The member in the media says something else than the catalog. */
  | "catalog";

export interface TargetComparerOptions {
  readonly files: Files;
  readonly target: string;
  /** What the catalog says of the members, in the order in which they are fed. */
  readonly expected: Iterator<Entry, unknown>;
  /** True for a member that cannot be fed whole, or not at all: it is passed over. */
  readonly isLost: (entry: Entry) => boolean;
  /** False for what is restored without its extended attributes. */
  readonly xattrs: boolean;
  readonly onDifference: (entry: Entry, differences: readonly Difference[]) => void;
}

/** Bytes that are read at once. */
const CHUNK_BYTES = 256 * 1024;

interface Present {
  readonly entry: Entry;
  readonly extents: SparseMap;
  /** Null when it cannot be read as a file. */
  readonly descriptor: number | null;
  extent: number;
  done: number;
}

export class TargetComparer implements Disposable {
  readonly #files: Files;
  readonly #options: TargetComparerOptions;
  readonly #view: TargetView;
  readonly #reader: RecordReader;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #present: Present | null = null;
  #differences = new Set<Difference>();
  #looked = 0;
  #lookedBytes = 0;

  constructor(options: TargetComparerOptions) {
    this.#files = options.files;
    this.#options = options;
    this.#view = new TargetView(options.files, options.target);
    this.#reader = new RecordReader({
      member: (entry, extra) => this.#onMember(entry, extra),
      data: (bytes) => this.#onData(bytes),
      end: () => this.#onEnd(),
      lost: () => this.#closeFile(),
    });
  }

  /** @throws AgentError `damaged` */
  feed(frame: TarPieces): void {
    this.#reader.feed(frame);
  }

  /** What was looked at so far. */
  looked(): Totals {
    return { files: this.#looked, bytes: this.#lookedBytes };
  }

  /** After the last record; what the catalog expects and did not come is missing. */
  finish(): Totals {
    this.#reader.finish();
    const { expected, isLost, onDifference } = this.#options;
    for (let next = expected.next(); next.done !== true; next = expected.next()) {
      if (!isLost(next.value)) onDifference(next.value, ["missing"]);
    }
    return this.looked();
  }

  [Symbol.dispose](): void {
    this.#closeFile();
    this.#view.close();
  }

  #onMember(member: Entry, { sparse, xattrs }: MemberExtra): void {
    const next = this.#expectedFor(member);
    const entry = next.done === true ? member : next.value;
    this.#differences = new Set();
    if (next.done === true || !isMemberOf(member, entry)) this.#differences.add("catalog");
    const whole = entry.sizeBytes > 0 ? [{ offset: 0, length: entry.sizeBytes }] : [];
    const found = this.#view.find(entry.path);
    let descriptor: number | null = null;
    if (!("stat" in found)) this.#differences.add("missing");
    else {
      this.#compare(entry, found);
      // A further name of a hard link has those of the first, and its member none.
      const compared = this.#options.xattrs && entry.type !== "hardlink";
      if (compared && !this.#hasXattrs(found, xattrs)) this.#differences.add("xattr");
      if (entry.type === "file" && found.stat.type === "file") descriptor = this.#open(found);
    }
    this.#present = { entry, extents: sparse ?? whole, descriptor, extent: 0, done: 0 };
  }

  /** A lost member may still have begun. */
  #expectedFor(member: Entry): IteratorResult<Entry, unknown> {
    const { expected, isLost } = this.#options;
    let next = expected.next();
    while (next.done !== true && isLost(next.value) && !equalBytes(next.value.path, member.path)) {
      next = expected.next();
    }
    return next;
  }

  #compare(entry: Entry, found: FoundObject): void {
    if (entry.type === "hardlink") {
      const { inode, deviceMajor, deviceMinor } = found.stat;
      const first = this.#view.find(entry.target ?? entry.path);
      const isSame = "stat" in first && first.stat.inode === inode &&
        first.stat.deviceMajor === deviceMajor && first.stat.deviceMinor === deviceMinor;
      if (!isSame) this.#differences.add("link");
      return;
    }
    const present = this.#view.entryOf(entry.path, found);
    if (present === null) this.#differences.add("type");
    else for (const reason of entryDifferences(entry, present)) this.#differences.add(reason);
  }

  /** True when the object has exactly these. */
  #hasXattrs(found: FoundObject, xattrs: readonly Xattr[]): boolean {
    try {
      const names = this.#files.xattrs.list(found).filter((name) => !isLabel(name));
      return names.length === xattrs.filter(({ name }) => !isLabel(name)).length &&
        xattrs.every(({ name, value }) => {
          const present = this.#files.xattrs.get(found, name);
          return present !== null && equalBytes(present, value);
        });
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }

  #open({ directory, name }: FoundObject): number | null {
    try {
      return this.#files.open(directory, name, { access: "read", noFollow: true });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#differences.add("content");
      return null;
    }
  }

  #onData(bytes: Uint8Array): void {
    this.#lookedBytes += bytes.length;
    const present = this.#present;
    if (present === null) return;
    for (let at = 0; at < bytes.length;) {
      const extent = present.extents[present.extent];
      if (extent === undefined) return void this.#differences.add("content");
      const length = Math.min(bytes.length - at, extent.length - present.done, CHUNK_BYTES);
      const wanted = bytes.subarray(at, at + length);
      this.#compareAt(present, extent.offset + present.done, wanted);
      present.done += length;
      at += length;
      if (present.done < extent.length) continue;
      present.extent++;
      present.done = 0;
    }
  }

  #compareAt({ descriptor }: Present, offset: number, wanted: Uint8Array): void {
    if (descriptor === null || this.#differences.has("content")) return;
    const into = this.#chunk.subarray(0, wanted.length);
    const count = this.#files.readAt(descriptor, offset, into);
    if (count < into.length || !equalBytes(into, wanted)) this.#differences.add("content");
  }

  #onEnd(): void {
    const present = this.#present;
    if (present === null) return;
    this.#compareHoles(present);
    this.#closeFile();
    this.#looked++;
    if (this.#differences.size === 0) return;
    this.#options.onDifference(present.entry, [...this.#differences]);
  }

  /** Where the media have a hole the file has one, or zeros. */
  #compareHoles(present: Present): void {
    const { entry, extents, descriptor } = present;
    if (descriptor === null || this.#differences.has("content")) return;
    let end = 0;
    for (const { offset, length } of [...extents, { offset: entry.sizeBytes, length: 0 }]) {
      for (let at = end; at < offset;) {
        const data = this.#files.seek(descriptor, at, "data");
        if (data === null || data >= offset) break;
        at = Math.max(at, data);
        const zeros = new Uint8Array(Math.min(CHUNK_BYTES, offset - at));
        this.#compareAt(present, at, zeros);
        at += zeros.length;
      }
      end = offset + length;
    }
  }

  #closeFile(): void {
    const descriptor = this.#present?.descriptor ?? null;
    if (descriptor !== null) this.#files.close(descriptor);
    this.#present = null;
  }
}

/** The member says the same as the catalog. */
function isMemberOf(member: Entry, entry: Entry): boolean {
  return equalBytes(member.path, entry.path) && entryDifferences(member, entry).length === 0;
}
