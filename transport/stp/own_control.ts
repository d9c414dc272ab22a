// The control block of an endpoint that we own: its only writer.
//
// Invariants: one write at a time; what changes while a write is under way goes out in the next
// one, and `publish` completes only when the state it was called with is on the volume.

import { assert } from "../ground/assert.ts";
import type { Clock } from "../runtime/runtime.ts";
import type { Completion, Volume } from "../volume.ts";
import { viewOf } from "./block_fields.ts";
import {
  ControlBlock,
  decodeControlBlock,
  encodeControlBlock,
  type EndpointId,
} from "./control_block.ts";
import type { CursorVerdict } from "./cursors.ts";
import { connectionSeed, type FrameEntry, FrameTable, type FrameVerdict } from "./frame_entry.ts";
import { BLOCK_BYTES, FRAME_TABLE_OFFSET, LAST_WRITES_MAX } from "./limits.ts";
import { readBlocks } from "./lost_blocks.ts";
import { controlBlockOffset, type StgLayout } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { writeVolume } from "./volume_io.ts";
import type { WriteFence } from "./write_fence.ts";

export class OwnControl {
  /** Set the fields, then `publish`. */
  readonly block = new ControlBlock();
  readonly self: EndpointId;
  readonly #volume: Volume;
  readonly #offsetBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Where descriptors are made: the image itself may be on its way to the volume. */
  readonly #staged = new Uint8Array(BLOCK_BYTES);
  readonly #stagedTable = this.#staged.subarray(FRAME_TABLE_OFFSET);
  #table: FrameTable | undefined;
  #writing: Promise<void> | undefined;
  #again = false;
  #retired = false;

  constructor(volume: Volume, layout: StgLayout, self: EndpointId) {
    assert(self.generation > 0 && self.boot > 0, "a used endpoint has generations");
    this.self = self;
    this.block.self = self;
    this.#volume = volume;
    this.#offsetBytes = controlBlockOffset(layout, self.host, self.endpoint);
    this.#bytes = volume.allocate(BLOCK_BYTES).fill(0);
    this.#view = viewOf(this.#bytes);
  }

  /** Puts the descriptor of a frame into the table; the next `publish` carries it. */
  describe(entry: FrameEntry): void {
    this.#tableOf().write(entry);
  }

  /** The same with the payload, whose entry says INLINE_SLOT. */
  describeInline(entry: FrameEntry, payload: Uint8Array): void {
    this.#tableOf().write(entry);
    this.#tableOf().writeInline(payload);
  }

  /** Counts a frame of the peer that did not prove itself. */
  countFrame(verdict: Exclude<FrameVerdict, "ok">): void {
    this.block.badFrames++;
    switch (verdict) {
      case "torn":
        this.block.tornFrames++;
        return;
      case "stale":
        this.block.staleFrames++;
        return;
      case "damaged":
        this.block.damagedFrames++;
    }
  }

  /** Counts a cursor of the peer that was ignored. */
  countCursor(verdict: CursorVerdict): void {
    if (verdict !== "back" && verdict !== "beyond") return;
    this.block.badCursors++;
    if (verdict === "back") this.block.cursorsBack++;
    else this.block.cursorsBeyond++;
  }

  /** True when the endpoint is used again: this block is not written any more. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Completes when no write of this block is under way, nor will be. */
  async retire(): Promise<void> {
    this.#retired = true;
    await this.#writing?.catch(() => {});
  }

  /**
   * Writes the block as it is now when our host may still write; for what is no connection yet.
   * @throws AgentError `reset` when it may not, `volume`
   */
  async publishBehind(fence: WriteFence, nowMs: number): Promise<void> {
    await fence.guard(nowMs);
    await this.publish();
  }

  /**
   * The same for a last word that no peer answers: it is read back, and written again while the
   * medium shows anything else (the write was lost or torn), a few times.
   * @throws AgentError `reset` when our host may not write, `volume`
   */
  async publishShown(fence: WriteFence, clock: Clock): Promise<void> {
    for (let writes = 0; writes < LAST_WRITES_MAX; writes++) {
      await this.publishBehind(fence, clock.monotonicMs());
      if (this.#retired || await this.#isShown()) return;
    }
  }

  /** Writes the block as it is now. @throws (or rejects) AgentError `volume` */
  publish(): Completion {
    if (this.#retired) return undefined;
    if (this.#writing !== undefined) {
      this.#again = true;
      return this.#writing;
    }
    const pending = this.#write();
    if (pending === undefined) return undefined;
    this.#writing = this.#finish(pending);
    return this.#writing;
  }

  async #isShown(): Promise<boolean> {
    const shown = this.#volume.allocate(BLOCK_BYTES);
    await readBlocks(this.#volume, this.#offsetBytes, shown);
    return shown.every((byte, index) => byte === this.#bytes[index]);
  }

  #tableOf(): FrameTable {
    return this.#table ??= new FrameTable(
      this.#staged,
      connectionSeed(this.self, this.block.peer),
    );
  }

  #write(): Completion {
    this.block.changes++;
    encodeControlBlock(this.block, this.#bytes, this.#view);
    if (this.#table !== undefined) this.#bytes.set(this.#stagedTable, FRAME_TABLE_OFFSET);
    return writeVolume(this.#volume, this.#offsetBytes, this.#bytes);
  }

  async #finish(first: Promise<void>): Promise<void> {
    try {
      await first.catch((error: unknown) => {
        // What changed meanwhile (an abort, say) still has to go out, if it can.
        if (!this.#again) throw error;
      });
      while (this.#again) {
        this.#again = false;
        await this.#write();
      }
    } finally {
      this.#again = false;
      this.#writing = undefined;
    }
  }
}

/** What our endpoint's block says, or null when it was never written, is damaged or lost. */
export async function readOwnBlock(
  medium: StgMedium,
  host: number,
  endpoint: number,
): Promise<ControlBlock | null> {
  const bytes = new Uint8Array(BLOCK_BYTES);
  const offset = controlBlockOffset(medium.identity.layout, host, endpoint);
  await readBlocks(medium.controlVolume, offset, bytes);
  const block = new ControlBlock();
  return decodeControlBlock(bytes, viewOf(bytes), block) === "ok" ? block : null;
}
