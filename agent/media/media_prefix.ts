// How far a media file whose writing was cut off can be gone on with: takes its groups in order and
// remembers the last place where no member is open, so that a tar stream can go on there; and the
// last one of all, when a file is open there that was not changed just before it was read. Pure.
//
// Invariant: what is taken is proved: each frame by the CRC-32 that its group's index has of it,
// each index by its own, and each member begins in the frame that has its row.

import { AgentError } from "../../transport/ground/error.ts";
import type { IndexPage, IndexRow } from "../entry.ts";
import { decodeGroupIndex } from "./group_index.ts";
import type { GroupFrame, GroupIndex } from "./group_index.ts";
import { decodeIndexRows } from "./index_rows.ts";
import type { SeekEntry } from "./seek_table.ts";

/** How far a cut file can be gone on with. */
export interface MediaPrefix {
  /** Label, frames and indexes. */
  readonly entries: readonly SeekEntry[];
  /** Frames after the last of these indexes: the group that goes on. */
  readonly group: readonly GroupFrame[];
  readonly groupMediaOffset: number;
  readonly groupTarOffset: number;
  readonly mediaBytes: number;
  readonly tarBytes: number;
  readonly rowCount: number;
  readonly frameCount: number;
  /** Path of the last member. */
  readonly lastPath: Uint8Array;
}

/** The ways in which a cut file can be gone on with. */
export interface CutPrefixes {
  /** Up to where no member is open; null when there is no such place. */
  readonly closed: MediaPrefix | null;
  /** All that is whole, and the file whose member is open there; null when none is. */
  readonly open: { readonly prefix: MediaPrefix; readonly row: IndexRow } | null;
}

/** A frame as the file has it, before an index says what it is. */
export type FoundFrame = Pick<GroupFrame, "compressedBytes" | "tarBytes" | "checksum">;

interface FoundGroup {
  readonly mediaOffset: number;
  readonly bytes: number;
}

/** Where a prefix may end. */
interface End {
  /** Entries up to its last frame, which stands in `group` as one of `groupFrames`. */
  readonly entryCount: number;
  readonly group: FoundGroup;
  readonly groupFrames: number;
  readonly isWholeGroup: boolean;
  readonly groupMediaOffset: number;
  readonly groupTarOffset: number;
  readonly mediaBytes: number;
  readonly tarBytes: number;
  readonly rowCount: number;
  readonly frameCount: number;
  readonly lastPath: Uint8Array;
}

/** Takes groups in order and remembers the last place where no member is open. */
export class PrefixScan {
  readonly #entries: SeekEntry[];
  #mediaBytes: number;
  #tarBytes = 0;
  #rowCount = 0;
  #frameCount = 0;
  /** The last member, and is it a file that may be gone on with? */
  #lastRow: IndexRow | null = null;
  #isSettled = false;
  /** Tar offset at which the last member ends. */
  #memberEnd = 0;
  /** The last place of all, and the last one where no member is open. */
  #last: End | null = null;
  #closed: End | null = null;

  constructor(labelBytes: number) {
    this.#entries = [{ compressedBytes: labelBytes, tarBytes: 0 }];
    this.#mediaBytes = labelBytes;
  }

  /** @returns false when the index does not fit the frames before it, or is damaged */
  take(bytes: Uint8Array, found: readonly FoundFrame[]): boolean {
    let index: GroupIndex;
    let pages: IndexPage[];
    try {
      index = decodeGroupIndex(bytes);
      pages = index.frames.map(({ rows }) => decodeIndexRows(rows));
    } catch (error) {
      if (error instanceof AgentError) return false;
      throw error;
    }
    if (!this.#fits(index, found) || !this.#areInside(index, pages)) return false;
    const indexOffset = found.reduce((at, one) => at + one.compressedBytes, this.#mediaBytes);
    const group = { mediaOffset: indexOffset, bytes: bytes.length };
    index.frames.forEach((frame, at) => this.#takeFrame({ index, group, frame, at }, pages[at]));
    this.#entries.push({ compressedBytes: bytes.length, tarBytes: 0 });
    this.#mediaBytes += bytes.length;
    return true;
  }

  /** @param readGroup reads an index of the file again */
  prefixes(readGroup: (group: FoundGroup) => GroupIndex): CutPrefixes {
    const row = this.#lastRow;
    const isOpen = this.#last !== null && this.#memberEnd > this.#tarBytes;
    const canGoOn = isOpen && row?.entry.type === "file" && this.#isSettled;
    return {
      closed: this.#closed === null ? null : this.#prefix(this.#closed, readGroup),
      open: !canGoOn || this.#last === null
        ? null
        : { prefix: this.#prefix(this.#last, readGroup), row },
    };
  }

  #prefix(end: End, readGroup: (group: FoundGroup) => GroupIndex): MediaPrefix {
    const { mediaBytes, tarBytes, rowCount, frameCount, lastPath } = end;
    const totals = { tarBytes, rowCount, frameCount, lastPath };
    if (end.isWholeGroup) {
      const whole = mediaBytes + end.group.bytes;
      const entries = this.#entries.slice(0, end.entryCount + 1);
      const next = { group: [], groupMediaOffset: whole, groupTarOffset: tarBytes };
      return { entries, ...next, mediaBytes: whole, ...totals };
    }
    const group = readGroup(end.group).frames.slice(0, end.groupFrames);
    const entries = this.#entries.slice(0, end.entryCount);
    const { groupMediaOffset, groupTarOffset } = end;
    return { entries, group, groupMediaOffset, groupTarOffset, mediaBytes, ...totals };
  }

  #takeFrame(
    place: {
      readonly index: GroupIndex;
      readonly group: FoundGroup;
      readonly frame: GroupFrame;
      readonly at: number;
    },
    page: IndexPage | undefined,
  ): void {
    const { index, group, frame, at } = place;
    this.#entries.push({ compressedBytes: frame.compressedBytes, tarBytes: frame.tarBytes });
    this.#mediaBytes += frame.compressedBytes;
    this.#tarBytes += frame.tarBytes;
    this.#frameCount += 1;
    this.#rowCount += frame.rowCount;
    this.#takePage(page, frame.tarBytes);
    this.#last = {
      entryCount: this.#entries.length,
      group,
      groupFrames: at + 1,
      isWholeGroup: at + 1 === index.frames.length,
      groupMediaOffset: index.mediaOffset,
      groupTarOffset: index.tarOffset,
      mediaBytes: this.#mediaBytes,
      tarBytes: this.#tarBytes,
      rowCount: this.#rowCount,
      frameCount: this.#frameCount,
      lastPath: this.#lastRow?.entry.path ?? new Uint8Array(0),
    };
    if (this.#memberEnd === this.#tarBytes) this.#closed = this.#last;
  }

  #takePage(page: IndexPage | undefined, frameTarBytes: number): void {
    const notes = page?.notes ?? [];
    const last = page?.rows.at(-1);
    if (last !== undefined) {
      const path = last.entry.path.toBase64();
      this.#lastRow = last;
      this.#isSettled = notes.every((note) => note.path.toBase64() !== path);
      this.#memberEnd = last.tarOffset + last.tarBytes;
    } else if (notes.length > 0 && this.#memberEnd === this.#tarBytes - frameTarBytes) {
      // A frame with notes alone holds a filler. What else stands after the last member of a frame
      // may be the end of the stream, which nothing may follow.
      this.#memberEnd = this.#tarBytes;
    }
  }

  #fits(index: GroupIndex, found: readonly FoundFrame[]): boolean {
    return index.frames.length === found.length && found.length > 0 &&
      index.firstSequence === this.#frameCount && index.tarOffset === this.#tarBytes &&
      index.mediaOffset === this.#mediaBytes &&
      index.frames.every((frame, at) =>
        frame.compressedBytes === found[at]?.compressedBytes &&
        frame.tarBytes === found[at].tarBytes && frame.checksum === found[at].checksum
      );
  }

  /** Does each member begin in the frame whose row it is? */
  #areInside(index: GroupIndex, pages: readonly IndexPage[]): boolean {
    let tarOffset = index.tarOffset;
    return index.frames.every(({ tarBytes, rowCount }, at) => {
      const start = tarOffset;
      tarOffset += tarBytes;
      const rows = pages[at]?.rows ?? [];
      return rows.length === rowCount &&
        rows.every((row) => row.tarOffset >= start && row.tarOffset < tarOffset);
    });
  }
}
