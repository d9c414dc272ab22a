// The tar archives of a base backup as members of ours: the server sends one archive for the data
// directory and one for each tablespace, with names relative to it; here each name becomes the full
// path on the database's host, so that one tar stream holds the cluster as it lies there.
//
// The archives are pushed in, in pieces of any size; full frames wait in `takeFrames`.

import { assert } from "../../../transport/ground/assert.ts";
import type { Entry } from "../../entry.ts";
import type { TarFrame } from "../../record.ts";
import { paddingBytes, TarReader, type TarSink } from "../../tar/mod.ts";
import type { FrameAssembler } from "../frame_assembler.ts";
import { planMember } from "../member_stream.ts";

const ROOT = new TextEncoder().encode("/");

export class ArchiveMembers implements TarSink {
  readonly #frames: FrameAssembler;
  #full: TarFrame[] = [];
  #reader: TarReader | null = null;
  #directory: Uint8Array = ROOT;
  #paddingBytes = 0;

  constructor(frames: FrameAssembler) {
    this.#frames = frames;
  }

  /** Begins the archive of this directory. @throws AgentError `damaged` inside another archive */
  begin(directory: Uint8Array): void {
    this.finish();
    this.#directory = directory;
    this.#reader = new TarReader(this);
  }

  /** @throws AgentError `damaged` */
  feed(archive: Uint8Array): void {
    assert(this.#reader !== null, "the bytes of an archive follow its beginning");
    this.#reader.feed(archive);
  }

  /** Ends the archive under way. @throws AgentError `damaged` inside a member */
  finish(): void {
    this.#reader?.finish();
    this.#reader = null;
  }

  /** A whole member that is in memory, or has no content. */
  add(entry: Entry, content: Uint8Array): void {
    this.#begin(entry);
    this.data(content);
    this.end();
  }

  /** The frames that are full. */
  takeFrames(): readonly TarFrame[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  member(entry: Entry): void {
    // An archive may begin with its own directory, which the caller has added.
    const isRoot = entry.path.length === ROOT.length;
    const path = isRoot ? this.#directory : joined(this.#directory, entry.path);
    this.#begin({ ...entry, path });
  }

  data(bytes: Uint8Array): void {
    this.#append(bytes, "content");
  }

  end(): void {
    this.#append(new Uint8Array(this.#paddingBytes), "tar");
  }

  #begin(entry: Entry): void {
    const plan = planMember(entry, { sparse: null, xattrs: [] });
    if (this.#frames.room === 0) this.#full.push(this.#frames.cut());
    this.#frames.addRow(plan.entry, plan.tarBytes);
    this.#append(plan.header, "tar");
    this.#paddingBytes = paddingBytes(plan.contentBytes);
  }

  #append(bytes: Uint8Array, what: "content" | "tar"): void {
    for (let rest = bytes; rest.length > 0;) {
      if (this.#frames.room === 0) this.#full.push(this.#frames.cut());
      const part = rest.subarray(0, this.#frames.room);
      this.#frames.window.set(part);
      this.#frames.advance(part.length, what === "content" ? part.length : 0);
      rest = rest.subarray(part.length);
    }
  }
}

function joined(directory: Uint8Array, path: Uint8Array): Uint8Array {
  const whole = new Uint8Array(directory.length + path.length);
  whole.set(directory);
  whole.set(path, directory.length);
  return whole;
}
