// Judges every write that a simulated process hands to a volume, whatever becomes of it.
//
// Rules:
//  1. A host writes only its own blocks; nobody writes the superblock after formatting.
//  2. Cursors and changes of a control block only grow within a generation.
//  3. An endpoint is used again only after its last use ended, with a larger generation.
//  4. A process whose host id was taken by a later one writes no more.
//  5. A buffer does not change while a write of it is under way.
//  and those of frame_rules.ts.

import { viewOf } from "../../transport/stp/block_fields.ts";
import {
  ControlBlock,
  decodeControlBlock,
  type EndpointId,
} from "../../transport/stp/control_block.ts";
import type { StgLayout } from "../../transport/stp/stg_layout.ts";
import { FrameRules } from "./frame_rules.ts";
import type { RunTrace } from "./run_trace.ts";
import type { SimProcess } from "./sim_process.ts";
import { type Region, regionOf } from "./volume_regions.ts";

export interface SubmittedWrite {
  readonly process: SimProcess;
  readonly volumeIndex: number;
  readonly offsetBytes: number;
  readonly image: Uint8Array;
}

/** What becomes of a write. */
export interface WriteFate {
  /** It was acknowledged. */
  readonly done: () => void;
  /** It failed, and lands now. */
  readonly landsLate: () => void;
}

interface ProcessRecord {
  readonly hostId: number;
  readonly controls: Map<number, ControlBlock>;
  readonly frames: FrameRules;
  /** A volume failed it: what it could not write is no fault of its own. */
  failed: boolean;
}

const NOTHING = () => {};
const NO_MATTER: WriteFate = { done: NOTHING, landsLate: NOTHING };

export class WriteRules {
  readonly #trace: RunTrace;
  readonly #layout: StgLayout;
  readonly #processes = new Map<SimProcess, ProcessRecord>();
  /** Consumer cursor that each use of an endpoint handed in, by its four numbers. */
  readonly #consumed = new Map<string, number>();
  /** The newest use of each endpoint that wrote into its slots, by host and endpoint. */
  readonly #newest = new Map<string, string>();
  /** Who joined last, by host id. */
  readonly #holders = new Map<number, { name: string; generation: number }>();

  constructor(layout: StgLayout, trace: RunTrace) {
    this.#layout = layout;
    this.#trace = trace;
  }

  /** A process that may write for `hostId`. */
  admit(process: SimProcess, hostId: number): void {
    const frames = new FrameRules(this.#layout, (what) => this.fail(process, what));
    this.#processes.set(process, { hostId, controls: new Map(), frames, failed: false });
  }

  /** `process` joined as `hostId`: earlier holders of the id must be silent from now on. */
  holds(process: SimProcess, hostId: number, generation: number): void {
    const holder = this.#holders.get(hostId);
    if (holder !== undefined && holder.generation >= generation) {
      this.fail(process, `joined as host ${hostId} with generation ${generation} again`);
    }
    this.#holders.set(hostId, { name: process.name, generation });
  }

  /** An operation of `process` failed. */
  volumeFailed(process: SimProcess): void {
    const record = this.#processes.get(process);
    if (record !== undefined) record.failed = true;
  }

  fail(process: SimProcess, what: string): void {
    this.#trace.breakRule(`${process.name}: ${what}`);
  }

  submit(write: SubmittedWrite): WriteFate {
    const { process, image } = write;
    const record = this.#processes.get(process);
    if (record === undefined) return NO_MATTER; // formatting
    const region = regionOf(this.#layout, write.volumeIndex, write.offsetBytes, image.length);
    if (typeof region === "string") {
      this.fail(process, `wrote ${region}`);
      return NO_MATTER;
    }
    if (region.hostId !== record.hostId) {
      this.fail(process, `host ${record.hostId} wrote a ${region.kind} of host ${region.hostId}`);
    }
    if (region.kind === "control") this.#judgeControl(process, record, region.endpoint, image);
    else this.#trace.note(`write-${region.kind}`, process.name, region.endpoint, region.slot);
    return region.kind === "slot" ? this.#judgeSlot(write, record, region) : NO_MATTER;
  }

  /** A write whose buffer changed under way is a broken rule. */
  checkUntouched(process: SimProcess, from: Uint8Array, sent: Uint8Array): void {
    for (let i = 0; i < sent.length; i++) {
      if (from[i] !== sent[i]) return this.fail(process, `changed byte ${i} of a write under way`);
    }
  }

  #judgeControl(
    process: SimProcess,
    record: ProcessRecord,
    endpoint: number,
    image: Uint8Array,
  ): void {
    const block = new ControlBlock();
    const state = decodeControlBlock(image, viewOf(image), block);
    if (state !== "ok") return this.fail(process, `wrote a control block that is ${state}`);
    const { self } = block;
    if (self.host !== record.hostId || self.endpoint !== endpoint) {
      return this.fail(process, `wrote a control block that says ${keyOf(self)}`);
    }
    const { generation } = self;
    const { kind, producedFrames, consumedFrames } = block;
    this.#trace.note(kind, process.name, endpoint, generation, producedFrames, consumedFrames);
    this.#judgeHolder(process, record.hostId, self.boot, "control block");
    const old = record.controls.get(endpoint);
    if (old !== undefined && old.self.boot === self.boot) this.#judgeGrowth(process, old, block);
    record.controls.set(endpoint, block);
    // A daemon that ends what a killed worker left may have read an older block of it.
    const consumed = this.#consumed.get(keyOf(self)) ?? 0;
    this.#consumed.set(keyOf(self), Math.max(consumed, consumedFrames));
    record.frames.publish(block, image, old);
  }

  #judgeGrowth(process: SimProcess, old: ControlBlock, now: ControlBlock): void {
    const who = keyOf(now.self);
    if (now.self.generation < old.self.generation) {
      return this.fail(process, `endpoint ${who} went back a generation`);
    }
    if (now.self.generation > old.self.generation) {
      const ended = old.kind === "free" || old.kind === "aborted" ||
        this.#processes.get(process)?.failed;
      if (!ended) this.fail(process, `endpoint ${keyOf(old.self)} is used again while it is open`);
      return;
    }
    // A daemon that ends what a killed worker left twice: an older block came back meanwhile.
    if (old.kind === "aborted" && now.kind === "aborted") return;
    // A join that failed half way is tried again, with the same generation.
    if (old.kind === "free" && now.kind === "free" && now.self.generation === 0) return;
    const grows = now.producedFrames >= old.producedFrames &&
      now.producedBytes >= old.producedBytes && now.consumedFrames >= old.consumedFrames &&
      now.consumedBytes >= old.consumedBytes && now.changes > old.changes;
    if (!grows) this.fail(process, `cursors of ${who} went back`);
    if (old.kind === "free" && now.kind !== "free") {
      this.fail(process, `${who} is used again with its old generation`);
    }
  }

  #judgeSlot(write: SubmittedWrite, record: ProcessRecord, region: Region): WriteFate {
    const { process, volumeIndex, image } = write;
    const { endpoint, slot } = region;
    const own = record.controls.get(endpoint);
    if (own === undefined || own.kind === "free" || own.kind === "aborted") {
      this.fail(process, `wrote into a slot of endpoint ${endpoint}, which is not connected`);
      return NO_MATTER;
    }
    this.#judgeHolder(process, record.hostId, own.self.boot, "frame");
    const place = `${record.hostId}/${endpoint}`;
    const use = keyOf(own.self);
    this.#newest.set(place, use);
    const consumed = this.#consumed.get(keyOf(own.peer)) ?? 0;
    return {
      done: record.frames.write({ endpoint, volumeIndex, slot, image }, consumed),
      landsLate: () => {
        const newest = this.#newest.get(place);
        if (newest === use) return;
        this.fail(process, `a write of ${use} landed when ${newest} used its extent`);
      },
    };
  }

  /** Rule 4, by the generation that the write carries. */
  #judgeHolder(process: SimProcess, hostId: number, boot: number, what: string): void {
    const holder = this.#holders.get(hostId);
    if (holder === undefined || boot >= holder.generation) return;
    this.fail(process, `wrote a ${what} after ${holder.name} took the id`);
  }
}

function keyOf(id: EndpointId): string {
  return `${id.host}/${id.endpoint}/${id.boot}/${id.generation}`;
}
