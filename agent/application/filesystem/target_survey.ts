// Holds the entries of a backup against what lies below a restore's target, and says what the
// restore does with each. A dry run shows it; a restore of what changed (`--overwrite changed`)
// asks for those members only that it needs.
//
// The same means: type, size and modification time of a file, the target of a link, the number of a
// device. What differs besides is set without the content. A file that was touched since the backup
// (the same inode with another time of change) and shows no difference has one that does not show,
// and is replaced. Extended attributes are in the media only: an object that has some is replaced
// where owner or mode differ, since setting them may cost it some.
//
// Invariant: nothing changes but by `setAttributes`, and nothing outside the target is looked at.

import { SystemError } from "../../../transport/runtime/files.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { Entry } from "../../entry.ts";
import { entryDifferences } from "../../entry_difference.ts";
import type { Verdict } from "../../verdict.ts";
import type { ApplicationWarning } from "../application.ts";
import { Attributes } from "../attributes.ts";
import { isMediumFailure } from "../medium_failure.ts";
import { notEmpty } from "../open_target.ts";
import type { Overwrite } from "../placement.ts";
import { hasXattrs } from "../write_xattrs.ts";
import { type FoundObject, TargetView } from "./target_view.ts";

export interface TargetSurveyOptions {
  readonly files: Files;
  readonly target: string;
  readonly overwrite: Overwrite;
  readonly onWarning: (warning: ApplicationWarning) => void;
}

/** What differs without the content being another. */
const ATTRIBUTES: ReadonlySet<string> = new Set(["mode", "owner", "mtime"]);

export class TargetSurvey {
  readonly #files: Files;
  readonly #options: TargetSurveyOptions;
  readonly #view: TargetView;
  readonly #attributes: Attributes;

  /** @throws AgentError `failed` when the restore would refuse the target */
  constructor(options: TargetSurveyOptions) {
    this.#files = options.files;
    this.#options = options;
    this.#attributes = new Attributes(options.files, options.onWarning);
    this.#view = new TargetView(options.files, options.target);
    if (options.overwrite !== "refuse" || this.#view.isEmpty()) return;
    this.#view.close();
    throw notEmpty(options.target);
  }

  /** What the restore does with an entry; what blocks it is a warning. @throws AgentError */
  look(entry: Entry): Verdict {
    try {
      return this.#look(entry);
    } catch (error) {
      if (!(error instanceof SystemError) || isMediumFailure(error)) throw error;
      return this.#blocked(entry, error.errno);
    }
  }

  #look(entry: Entry): Verdict {
    const found = this.#view.find(entry.path);
    if ("stat" in found) return this.#judge(entry, found);
    if (found.errno === "ENOENT") return "make";
    // A plain file or a link where a directory belongs gives way, or keeps all below it out.
    const inTheWay = found.errno === "ENOTDIR" || found.errno === "ELOOP";
    return inTheWay && this.#replaces ? "make" : this.#blocked(entry, found.errno);
  }

  /**
   * Sets owner, times and mode of an object whose verdict says so; never those of a directory,
   * which come when all below it is done.
   * @returns "replace" when that cannot be done without its content
   */
  setAttributes(entry: Entry): Verdict {
    const found = this.#view.find(entry.path);
    if (!("stat" in found)) return "replace";
    const { directory, name } = found;
    if (entry.type !== "file") {
      this.#attributes.apply({ directory, name, descriptor: null }, entry, null);
      return "attributes";
    }
    try {
      const descriptor = this.#files.open(directory, name, { access: "read", noFollow: true });
      try {
        this.#attributes.apply({ directory, name, descriptor }, entry, null);
      } finally {
        this.#files.close(descriptor);
      }
      return "attributes";
    } catch (error) {
      if (error instanceof SystemError) return "replace";
      throw error;
    }
  }

  close(): void {
    this.#view.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #replaces(): boolean {
    return this.#options.overwrite === "always" || this.#options.overwrite === "changed";
  }

  #judge(entry: Entry, found: FoundObject): Verdict {
    const { overwrite } = this.#options;
    const isDirectory = found.stat.type === "directory";
    if (entry.type === "directory" && !isDirectory && overwrite === "never") {
      return this.#blocked(entry, "ENOTDIR");
    }
    if (overwrite === "never") return "leave";
    if (isDirectory && entry.type !== "directory") {
      return this.#isFilled(found) ? this.#blocked(entry, "ENOTEMPTY") : "replace";
    }
    if (overwrite !== "changed") return isDirectory ? "attributes" : "replace";
    return entry.type === "hardlink" ? this.#judgeLink(entry, found) : this.#compare(entry, found);
  }

  #compare(entry: Entry, found: FoundObject): Verdict {
    const present = this.#view.entryOf(entry.path, found);
    if (present === null) return "replace";
    const reasons = entryDifferences(entry, present);
    const isFile = entry.type === "file";
    if (reasons.some((reason) => !ATTRIBUTES.has(reason) || (isFile && reason === "mtime"))) {
      return "replace";
    }
    const { directory, name } = found;
    const hasMore = () => hasXattrs(this.#files, { directory, name });
    const touched = present.inode === entry.inode && present.ctimeNs !== entry.ctimeNs;
    const other = entry.type === "directory" ? "attributes" : "replace";
    if (reasons.length > 0) return hasMore() ? other : "attributes";
    return touched && (isFile || hasMore()) ? other : "leave";
  }

  /** A further name is the same when it is one of the first name's file. */
  #judgeLink(entry: Entry, found: FoundObject): Verdict {
    const { inode, deviceMajor, deviceMinor } = found.stat;
    const first = this.#view.find(entry.target ?? entry.path);
    const isSame = "stat" in first && first.stat.inode === inode &&
      first.stat.deviceMajor === deviceMajor && first.stat.deviceMinor === deviceMinor;
    return isSame ? "leave" : "replace";
  }

  #isFilled({ directory, name }: FoundObject): boolean {
    const flags = { access: "read", directory: true, noFollow: true } as const;
    const descriptor = this.#files.open(directory, name, flags);
    try {
      return this.#files.list(descriptor).length > 0;
    } finally {
      this.#files.close(descriptor);
    }
  }

  #blocked(entry: Entry, errno: string): Verdict {
    this.#options.onWarning({ code: "occupied", path: entry.path, message: errno });
    return "blocked";
  }
}
