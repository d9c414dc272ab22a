// Door of the room of write-ahead logs: the archive of PostgreSQL's log, and what it is good for.

export { WalArchive } from "./wal_archive.ts";
export type { ArchivedFile, WalArchiveOptions, WalOwner } from "./wal_archive.ts";
export type { WalContent } from "./wal_content.ts";
export {
  isSealedFile,
  openSealedFile,
  readSealedHead,
  SEALED_FILE_HEAD_BYTES,
  sealFile,
} from "./sealed_file.ts";
export { decodeBackupRange, encodeBackupRange } from "./backup_range.ts";
export type { BackupRange } from "./backup_range.ts";
export { MAX_BACKUP_RANGE_BYTES, MAX_SEGMENT_BYTES } from "./limits.ts";
export { formatLsn, parseLsn } from "./lsn.ts";
export { parseTimelineHistory } from "./timeline_history.ts";
export type { TimelineSwitch } from "./timeline_history.ts";
export {
  historyName,
  isSegmentOf,
  parseWalFileName,
  segmentIndex,
  segmentName,
} from "./wal_file_name.ts";
export type { SegmentPlace, WalFileName } from "./wal_file_name.ts";
export { checkSegment, decodeWalHeader, isSegmentSize, WAL_HEADER_BYTES } from "./wal_header.ts";
export type { WalHeader } from "./wal_header.ts";
export { WalCensus } from "./wal_census.ts";
export type { ArchiveCount } from "./wal_census.ts";
export { WalCoverage } from "./wal_coverage.ts";
export type { Reach, SegmentRange } from "./wal_coverage.ts";
export { examineArchive } from "./examine_archive.ts";
export type { ExamineOptions } from "./examine_archive.ts";
export { reportArchive } from "./archive_report.ts";
export type { ArchiveFacts } from "./archive_report.ts";
export { isUnneeded, walNeed } from "./wal_expiry_plan.ts";
export type { KeptBackup, WalNeed } from "./wal_expiry_plan.ts";
