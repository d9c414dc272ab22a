// Judges every write that a simulated process hands to a volume, whatever becomes of it.
//
// Rules:
//  1. A host writes only its own blocks; nobody writes the superblock after formatting.
//  2. Cursors and changes of a control block only grow within a generation.
//  3. A frame is announced only after its write completed (publish after completion).
//  4. A slot is written again only when the reader said that it took the frame in it (the reader's
//     cursor is the permission), or with the same bytes (retransmission).
//  5. An endpoint is used again only after its last use ended, with a larger generation.
//  6. A process whose host id was taken by a later one writes no more.
//  7. A buffer does not change while a write of it is under way.

import { crc32 } from "../../transport/ground/crc32.ts";
import { readU64, viewOf } from "../../transport/stp/block_fields.ts";
import {
  ControlBlock,
  decodeControlBlock,
  type EndpointId,
} from "../../transport/stp/control_block.ts";
import type { StgLayout } from "../../transport/stp/stg_layout.ts";
import { regionOf } from "./volume_regions.ts";
import type { RunTrace } from "./run_trace.ts";
import type { SimProcess } from "./sim_process.ts";

export interface SubmittedWrite {
  readonly process: SimProcess;
  readonly volumeIndex: number;
  readonly offsetBytes: number;
  readonly image: Uint8Array;
}

/** What stands in a slot, as its writer knows it. */
interface FrameRecord {
  readonly seq: number;
  readonly boot: number;
  readonly generation: number;
  readonly lengthBytes: number;
  readonly identity: number;
  /** Of the whole frame: at least one write of it was acknowledged. */
  done: boolean;
}

interface ProcessRecord {
  readonly hostId: number;
  readonly controls: Map<number, ControlBlock>;
  /** By endpoint, volume and slot. */
  readonly frames: Map<string, FrameRecord>;
}

const NOTHING = () => {};

export class WriteRules {
  readonly #trace: RunTrace;
  readonly #layout: StgLayout;
  readonly #processes = new Map<SimProcess, ProcessRecord>();
  /** Newest control block that each use of an endpoint handed in, by its four numbers. */
  readonly #consumed = new Map<string, number>();
  /** Newest generations that wrote into each extent. */
  readonly #newest = new Map<string, EndpointId>();
  /** Who joined last, by host id. */
  readonly #holders = new Map<number, { name: string; generation: number }>();
  /** Writes by what they were, for the totals of a run. */
  readonly counts = { control: 0, frames: 0, again: 0, zombies: 0 };

  constructor(layout: StgLayout, trace: RunTrace) {
    this.#layout = layout;
    this.#trace = trace;
  }

  /** A process that may write for `hostId`. */
  admit(process: SimProcess, hostId: number): void {
    this.#processes.set(process, { hostId, controls: new Map(), frames: new Map() });
  }

  /** `process` joined as `hostId`: earlier holders of the id must be silent from now on. */
  holds(process: SimProcess, hostId: number, generation: number): void {
    const holder = this.#holders.get(hostId);
    if (holder !== undefined && holder.generation >= generation) {
      this.fail(process, `joined as host ${hostId} with generation ${generation} again`);
    }
    this.#holders.set(hostId, { name: process.name, generation });
  }

  fail(process: SimProcess, what: string): void {
    this.#trace.breakRule(`${process.name}: ${what}`);
  }

  /** @returns what to call when the write was acknowledged */
  submit(write: SubmittedWrite): () => void {
    const record = this.#processes.get(write.process);
    if (record === undefined) return NOTHING; // formatting
    const region = regionOf(this.#layout, write.volumeIndex, write.offsetBytes, write.image.length);
    const { process } = write;
    if (typeof region === "string") {
      this.fail(process, `wrote ${region}`);
      return NOTHING;
    }
    if (region.hostId !== record.hostId) {
      this.fail(process, `host ${record.hostId} wrote a ${region.kind} of host ${region.hostId}`);
    }
    this.#trace.note(`write-${region.kind}`, process.name, region.endpoint, region.slot);
    if (region.kind === "control") this.#judgeControl(write, record, region.endpoint);
    if (region.kind !== "slot") return NOTHING;
    const key = `${region.endpoint}/${write.volumeIndex}/${region.slot}`;
    if (region.withinBytes === 0) return this.#judgeFrame(write, record, region.endpoint, key);
    const old = record.frames.get(key);
    if (old !== undefined) this.#judgePermission(process, record, region.endpoint, old);
    return NOTHING;
  }

  /** @returns nothing; a write whose buffer changed under way is a broken rule */
  checkUntouched(process: SimProcess, from: Uint8Array, sent: Uint8Array): void {
    for (let i = 0; i < sent.length; i++) {
      if (from[i] !== sent[i]) return this.fail(process, `changed byte ${i} of a write under way`);
    }
  }

  /** Called when (a part of) a write lands later than it completed. */
  landed(volumeIndex: number, offsetBytes: number, image: Uint8Array): void {
    const region = regionOf(this.#layout, volumeIndex, offsetBytes, image.length);
    if (typeof region === "string" || region.kind !== "slot" || region.withinBytes !== 0) return;
    const view = viewOf(image);
    const newest = this.#newest.get(`${region.hostId}/${region.endpoint}`);
    if (newest === undefined) return;
    const zombie = view.getUint32(16, true) < newest.boot ||
      (view.getUint32(16, true) === newest.boot && view.getUint32(20, true) < newest.generation);
    if (zombie) this.counts.zombies++;
  }

  /** Rule 6, by the generation that the write carries. */
  #judgeHolder(process: SimProcess, hostId: number, boot: number, what: string): void {
    const holder = this.#holders.get(hostId);
    if (holder === undefined || boot >= holder.generation) return;
    this.fail(process, `wrote a ${what} after ${holder.name} took the id`);
  }

  #judgeControl(write: SubmittedWrite, record: ProcessRecord, endpoint: number): void {
    const { process, image } = write;
    const block = new ControlBlock();
    const state = decodeControlBlock(image, viewOf(image), block);
    if (state !== "ok") return this.fail(process, `wrote a control block that is ${state}`);
    const { self } = block;
    if (self.host !== record.hostId || self.endpoint !== endpoint) {
      return this.fail(process, `wrote a control block that says ${keyOf(self)}`);
    }
    this.counts.control++;
    this.#trace.note(
      block.kind,
      process.name,
      endpoint,
      self.generation,
      block.producedFrames,
      block.consumedFrames,
    );
    this.#judgeHolder(process, record.hostId, self.boot, "control block");
    const old = record.controls.get(endpoint);
    if (old !== undefined && old.self.boot === self.boot) {
      this.#judgeGrowth(process, old, block);
    }
    record.controls.set(endpoint, block);
    this.#consumed.set(keyOf(self), block.consumedFrames);
    if (block.producedFrames > 0) this.#judgeAnnounced(process, record, block);
  }

  #judgeGrowth(process: SimProcess, old: ControlBlock, now: ControlBlock): void {
    if (now.self.generation < old.self.generation) {
      return this.fail(process, `endpoint ${keyOf(now.self)} went back a generation`);
    }
    if (now.self.generation > old.self.generation) {
      const ended = old.kind === "free" || old.kind === "aborted";
      if (!ended) this.fail(process, `endpoint ${keyOf(old.self)} is used again while it is open`);
      return;
    }
    const grows = now.producedFrames >= old.producedFrames &&
      now.producedBytes >= old.producedBytes && now.consumedFrames >= old.consumedFrames &&
      now.consumedBytes >= old.consumedBytes && now.changes > old.changes;
    if (!grows) this.fail(process, `cursors of ${keyOf(now.self)} went back`);
    if (old.kind === "free" && now.kind !== "free") {
      this.fail(process, `${keyOf(now.self)} is used again with its old generation`);
    }
  }

  #judgeAnnounced(process: SimProcess, record: ProcessRecord, block: ControlBlock): void {
    const { self } = block;
    for (const [key, frame] of record.frames) {
      if (!key.startsWith(`${self.endpoint}/`)) continue;
      if (frame.generation !== self.generation || frame.boot !== self.boot) continue;
      if (frame.seq >= block.producedFrames || frame.done) continue;
      this.fail(process, `announced frame ${frame.seq} of ${keyOf(self)} before it was written`);
    }
  }

  #judgeFrame(
    write: SubmittedWrite,
    record: ProcessRecord,
    endpoint: number,
    key: string,
  ): () => void {
    const { process, image } = write;
    const view = viewOf(image);
    const frame: FrameRecord = {
      seq: readU64(view, 32),
      boot: view.getUint32(16, true),
      generation: view.getUint32(20, true),
      lengthBytes: view.getUint32(48, true),
      identity: crc32(image),
      done: false,
    };
    this.counts.frames++;
    this.#trace.note("frame", process.name, endpoint, frame.generation, frame.seq);
    const own = record.controls.get(endpoint);
    const newest = {
      host: record.hostId,
      endpoint,
      boot: frame.boot,
      generation: frame.generation,
    };
    if (own?.self.generation !== frame.generation || own.self.boot !== frame.boot) {
      this.fail(process, `wrote frame ${frame.seq} of a connection that it has not published`);
    }
    this.#judgeHolder(process, record.hostId, frame.boot, "frame");
    this.#newest.set(`${record.hostId}/${endpoint}`, newest);
    const old = record.frames.get(key);
    const again = old?.seq === frame.seq && old.generation === frame.generation &&
      old.boot === frame.boot;
    if (again) {
      this.counts.again++;
      if (old.identity !== frame.identity) {
        this.fail(process, `sent frame ${frame.seq} again with other bytes`);
      }
      return () => old.done = true;
    }
    if (old !== undefined) this.#judgePermission(process, record, endpoint, old);
    record.frames.set(key, frame);
    return () => frame.done = true;
  }

  /** `old` is overwritten: in the same connection, the reader must have taken it. */
  #judgePermission(
    process: SimProcess,
    record: ProcessRecord,
    endpoint: number,
    old: FrameRecord,
  ): void {
    const own = record.controls.get(endpoint);
    if (own === undefined || own.self.generation !== old.generation) return;
    if (own.self.boot !== old.boot) return;
    if (old.seq < (this.#consumed.get(keyOf(own.peer)) ?? 0)) return;
    this.fail(process, `overwrote frame ${old.seq} of ${keyOf(own.self)} that was not taken`);
  }
}

function keyOf(id: EndpointId): string {
  return `${id.host}/${id.endpoint}/${id.boot}/${id.generation}`;
}
