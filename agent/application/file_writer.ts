// One regular file being restored: created exclusively under a temporary name, filled (extents of
// a sparse file at their places, holes left out), given its attributes, then moved to its name.

import { assert } from "../../transport/ground/assert.ts";
import type { Files } from "../../transport/runtime/files.ts";
import type { Entry, Xattr } from "../entry.ts";
import type { SparseMap } from "../tar/mod.ts";
import type { Attributes } from "./attributes.ts";
import type { FreshFiles } from "./fresh_files.ts";
import type { Placement } from "./placement.ts";

export interface FileWriterOptions {
  /** Descriptor of the directory; it must stay open until `finish` or `discard`. */
  readonly directory: number;
  readonly name: Uint8Array;
  readonly entry: Entry;
  readonly sparse: SparseMap | null;
  /** Null: the file keeps what it is created with. */
  readonly xattrs: readonly Xattr[] | null;
  /** Of the directory; absent where it holds few files. */
  readonly freshFiles?: FreshFiles;
}

export class FileWriter {
  readonly #files: Files;
  readonly #placement: Placement;
  readonly #options: FileWriterOptions;
  readonly #temporary: string;
  readonly #descriptor: number;
  #extent = 0;
  #extentDone = 0;
  #contentBytes = 0;
  #open = true;

  /** @throws SystemError */
  constructor(
    services: { readonly files: Files; readonly placement: Placement },
    options: FileWriterOptions,
  ) {
    this.#files = services.files;
    this.#placement = services.placement;
    this.#options = options;
    const flags = { create: true, exclusive: true, noFollow: true, mode: 0o600 } as const;
    const { name, made } = this.#placement.make((temporary) =>
      this.#files.open(options.directory, temporary, { ...flags, access: "write" })
    );
    this.#temporary = name;
    this.#descriptor = made;
  }

  get contentBytes(): number {
    return this.#contentBytes;
  }

  /** Takes the next content bytes. @throws SystemError */
  write(bytes: Uint8Array): void {
    this.#contentBytes += bytes.length;
    if (this.#options.sparse === null) return this.#files.writeAll(this.#descriptor, bytes);
    let rest = bytes;
    while (rest.length > 0) {
      const extent = this.#options.sparse[this.#extent];
      assert(extent !== undefined, "the tar reader gives no more than the map says");
      const part = rest.subarray(0, extent.length - this.#extentDone);
      this.#files.writeAllAt(this.#descriptor, extent.offset + this.#extentDone, part);
      this.#extentDone += part.length;
      if (this.#extentDone === extent.length) {
        this.#extent++;
        this.#extentDone = 0;
      }
      rest = rest.subarray(part.length);
    }
  }

  /** Name under which the file stands until it is placed. */
  get temporary(): string {
    return this.#temporary;
  }

  /** Completes the file and puts it at its name. @throws SystemError */
  finish(attributes: Attributes): void {
    this.#complete(attributes);
    this.place();
  }

  /** Completes the file, on the medium too, but leaves it at its temporary name. */
  prepare(attributes: Attributes): void {
    this.#complete(attributes);
    this.#files.sync(this.#descriptor);
  }

  /** Puts the completed file at its name. @throws SystemError */
  place(): void {
    this.#placement.place(this.#options.directory, this.#temporary, this.#options.name);
    this.#open = false;
    this.#files.close(this.#descriptor);
  }

  /** Removes the file. Idempotent. */
  discard(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#files.close(this.#descriptor);
    this.#placement.discard(this.#options.directory, this.#temporary);
  }

  #complete(attributes: Attributes): void {
    const { directory, entry, sparse, xattrs, freshFiles } = this.#options;
    if (sparse !== null) this.#files.truncate(this.#descriptor, entry.sizeBytes);
    const descriptor = this.#descriptor;
    const has = freshFiles?.likeThis(this.#files, descriptor) ?? null;
    attributes.apply({ directory, name: this.#temporary, descriptor, has }, entry, xattrs);
  }
}
