// Door of the media room: the files of the vault, their frames and the rows in them.

export { CutMedia } from "./cut_media.ts";
export type { CutPrefixes, MediaPrefix } from "./media_prefix.ts";
export { decompressRecord } from "./decompress_record.ts";
export { readFrameRows } from "./frame_rows.ts";
export { decodeIndexRows, encodeIndexRows } from "./index_rows.ts";
export { compressFrame, decompressFrame, decompressInPieces } from "./zstd.ts";
export { compressFrameAside, decompressFrameAside } from "./zstd_aside.ts";
export { checkZstdFrame, readZstdHeader, ZSTD_HEADER_MAX_BYTES } from "./zstd_frame.ts";
export type { BackupKind, BackupStart, MediaLabel } from "./label.ts";
export type { BackupResult, MediaTrailer, Skipped } from "./trailer.ts";
export { MAX_FRAME_BYTES, MAX_FRAME_TAR_BYTES, MAX_SKIPPED_LISTED } from "./limits.ts";
export { ageFileOf, isSealed, newSealedFrame } from "./sealed_frame.ts";
export {
  decodeSkippable,
  encodeSkippable,
  hasKind,
  SKIPPABLE_HEADER_BYTES,
} from "./skippable_frame.ts";
export { isUnreadable } from "./unreadable.ts";
export { MediaReader } from "./media_reader.ts";
export type { FramePlace } from "./media_reader.ts";
export { MediaWriter } from "./media_writer.ts";
export type { Continuation, MediaWriterOptions } from "./media_writer.ts";
