// Writes the small files of a restore, on a thread beside that of the job (second_writer.ts), as
// the restorer writes its own.
//
// After a failure that ends the restore nothing more is written; the batches are counted all the
// same, for the job's thread waits for them.

import { toErrorRecord } from "../../../transport/ground/error.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { Xattr } from "../../entry.ts";
import type { ApplicationWarning } from "../application.ts";
import { Attributes } from "../attributes.ts";
import { FileWriter } from "../file_writer.ts";
import { FreshFiles } from "../fresh_files.ts";
import { Placement } from "../placement.ts";
import { warningOfFailure } from "../restore_failure.ts";
import { SmallFileMemory, type SmallFileSlot } from "./small_files.ts";
import type { FromSmallFileWriter, ToSmallFileWriter } from "./small_files.ts";

const SLASH = 0x2f;
const NO_XATTRS: readonly Xattr[] = [];

type Begin = Extract<ToSmallFileWriter, { type: "begin" }>;
type Batch = Extract<ToSmallFileWriter, { type: "batch" }>;

export interface SmallFileWriterParts {
  readonly files: Files;
  readonly post: (message: FromSmallFileWriter) => void;
}

export class SmallFileWriter {
  readonly #parts: SmallFileWriterParts;
  readonly #target: string;
  readonly #memory: SmallFileMemory;
  readonly #placement: Placement;
  readonly #attributes: Attributes;
  #warnings: ApplicationWarning[] = [];
  #failed = false;

  constructor(parts: SmallFileWriterParts, { target, memory }: Begin) {
    this.#parts = parts;
    this.#target = target;
    this.#memory = new SmallFileMemory(memory);
    this.#placement = new Placement(parts.files, { prefix: "second-" });
    this.#attributes = new Attributes(parts.files, (warning) => this.#warnings.push(warning));
  }

  write({ number, files: count }: Batch): void {
    const slot = this.#memory.slot(number);
    // Descriptors stand for their directories within a batch: none is closed before its end.
    const fresh = new Map<number, FreshFiles>();
    let files = 0;
    let contentBytes = 0;
    for (let left = count; left > 0 && !this.#failed; left--) {
      const written = this.#writeNext(slot, fresh);
      if (written === null) continue;
      files++;
      contentBytes += written;
    }
    if (this.#warnings.length > 0) {
      this.#parts.post({ type: "warnings", warnings: this.#warnings });
      this.#warnings = [];
    }
    this.#memory.addBatch({ files, contentBytes });
  }

  /** @returns bytes of content; null: the file could not be written, which was noted */
  #writeNext(slot: SmallFileSlot, fresh: Map<number, FreshFiles>): number | null {
    const { entry, isBare, directory, content } = slot.take();
    const { path } = entry;
    let freshFiles = fresh.get(directory);
    if (freshFiles === undefined) fresh.set(directory, freshFiles = new FreshFiles());
    let writer: FileWriter | null = null;
    try {
      const services = { files: this.#parts.files, placement: this.#placement };
      const name = path.subarray(path.lastIndexOf(SLASH) + 1);
      const xattrs = isBare ? NO_XATTRS : null;
      const options = { directory, name, entry, sparse: null, xattrs, freshFiles };
      writer = new FileWriter(services, options);
      writer.write(content);
      writer.finish(this.#attributes);
      return content.length;
    } catch (error) {
      writer?.discard();
      this.#note(error, path);
      return null;
    }
  }

  #note(error: unknown, path: Uint8Array): void {
    try {
      this.#warnings.push(warningOfFailure(error, { target: this.#target, path }));
    } catch (failure) {
      this.#failed = true;
      this.#parts.post({ type: "failure", error: toErrorRecord(failure) });
    }
  }
}
