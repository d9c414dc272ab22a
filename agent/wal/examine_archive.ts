// Reads an archive for a report: its names, its histories, and if asked for all of its content.
//
// The archive grows meanwhile, folder by folder as it is listed: what seems to be missing is looked
// for once more before it is called so. What an expiry removes meanwhile no kept backup needs, so
// the backups are asked for after the listing.

import { AgentError } from "../../transport/ground/error.ts";
import type { WalArchiveView } from "../control/wal_report_view.ts";
import { reportArchive } from "./archive_report.ts";
import type { ArchiveFacts } from "./archive_report.ts";
import { LIST_STEP_FILES } from "./limits.ts";
import { parseTimelineHistory } from "./timeline_history.ts";
import type { TimelineSwitch } from "./timeline_history.ts";
import { parseWalFileName } from "./wal_file_name.ts";
import type { SegmentPlace, WalFileName } from "./wal_file_name.ts";
import type { ArchivedFile, WalArchive } from "./wal_archive.ts";

export interface ExamineOptions {
  /** Whose the archive is. */
  readonly names: Pick<ArchiveFacts, "client" | "database" | "system">;
  /** Also decompresses every file and compares it with its name; of encrypted ones the checksum. */
  readonly data: boolean;
  /** Asked once, after the listing. */
  backups(): ArchiveFacts["backups"];
  /** Told now and then of the files looked at so far and their stored bytes; may throw. */
  onStep(files: number, bytes: number): Promise<void>;
  /** Told in the end of files whose content could not be looked at: there is no key. */
  onEncrypted(files: number): void;
}

/** @throws AgentError `failed` when the archive cannot be read, and what `onStep` throws */
export async function examineArchive(
  archive: WalArchive,
  options: ExamineOptions,
): Promise<WalArchiveView> {
  const look = new Look(archive);
  for (const one of archive.list()) {
    const step = await look.at(one, options.data);
    if (step) await options.onStep(look.files, look.bytes);
  }
  await options.onStep(look.files, look.bytes);
  const backups = options.backups();
  const segmentBytes = backups[0]?.range.segmentBytes ?? look.segmentBytes;
  for (;;) {
    const report = reportArchive({ ...options.names, ...look.facts(), segmentBytes, backups });
    const missing = report.backups.flatMap(({ reaches }) =>
      reaches.flatMap((reach) => reach.missing === null ? [] : [reach.missing])
    );
    if (look.findAgain(missing)) continue;
    if (look.encrypted > 0) options.onEncrypted(look.encrypted);
    return report;
  }
}

/** What was seen of an archive so far. */
class Look {
  readonly #archive: WalArchive;
  readonly #segments: SegmentPlace[] = [];
  readonly #histories = new Map<number, TimelineSwitch[]>();
  readonly #damage: string[] = [];
  readonly #damaged = new Set<string>();
  files = 0;
  bytes = 0;
  /** Files that were looked at as they are stored only. */
  encrypted = 0;
  segmentBytes: number | null = null;

  constructor(archive: WalArchive) {
    this.#archive = archive;
  }

  facts(): Pick<ArchiveFacts, "files" | "bytes" | "segments" | "histories" | "damage"> {
    return {
      files: this.files,
      bytes: this.bytes,
      segments: this.#segments,
      histories: this.#histories,
      damage: this.#damage,
    };
  }

  /** @returns true when it took some time */
  async at({ file, sizeBytes }: ArchivedFile, data: boolean): Promise<boolean> {
    this.files += 1;
    this.bytes += sizeBytes;
    const read = data || file.type === "history";
    if (!read || await this.#isSound(file)) this.#take(file);
    return read || this.files % LIST_STEP_FILES === 0;
  }

  /** Takes segments that came after their folder was listed. @returns true when there were any */
  findAgain(names: readonly string[]): boolean {
    let found = false;
    for (const name of new Set(names)) {
      const file = parseWalFileName(name);
      if (file?.type !== "segment" || this.#damaged.has(name)) continue;
      if (!this.#archive.has(name)) continue;
      this.#segments.push(file);
      found = true;
    }
    return found;
  }

  #take(file: WalFileName): void {
    if (file.type !== "segment") return;
    this.#segments.push(file);
    this.segmentBytes ??= this.#lengthOf(file.name);
  }

  /** Reads a file whole. @returns false when it is damaged, or has just expired */
  async #isSound(file: WalFileName): Promise<boolean> {
    try {
      if (file.type !== "history") {
        const proved = await this.#archive.prove(file.name);
        if (proved === "encrypted") this.encrypted += 1;
        return proved !== null;
      }
      const content = await this.#archive.readContent(file.name);
      if (content === null) return false;
      this.#histories.set(file.timeline, parseTimelineHistory(file.timeline, content));
      return true;
    } catch (error) {
      this.#note(file.name, error);
      return false;
    }
  }

  #lengthOf(name: string): number | null {
    try {
      return this.#archive.contentBytes(name);
    } catch (error) {
      this.#note(name, error);
      return null;
    }
  }

  #note(name: string, error: unknown): void {
    const known = error instanceof AgentError;
    if (!known || !["damaged", "mismatch", "failed"].includes(error.code)) throw error;
    this.#damaged.add(name);
    this.#damage.push(`${name} is damaged: ${error.message}`);
  }
}
