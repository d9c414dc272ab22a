// Writes payloads into the slots of our own transmit ring, and keeps what must be kept until it may
// be overwritten: what is asked for again is written again, into the same slot, the same bytes.
//
// What a medium may lose is copied into memory of its own and goes out from there. A volume that
// retains what it took (memory of this machine) needs no copy: whole blocks go out from the
// caller's buffer, and are read back from the slot should they be asked for again.
//
// Invariants: a frame's memory is not changed while a write from it is under way (`isFree`). Memory
// is made at the first use of a slot; later nothing is allocated per frame.

import { assert } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import { AgentError } from "../ground/error.ts";
import type { Completion, Volume } from "../volume.ts";
import type { ConnectionIds } from "./control_block.ts";
import type { FrameEntry } from "./frame_entry.ts";
import { BLOCK_BYTES, ODD_BYTES_MAX } from "./limits.ts";
import { slotOffset, volumeOfFrame } from "./stg_layout.ts";
import type { StgMedium } from "./stg_medium.ts";
import { readVolume, writeVolume } from "./volume_io.ts";

/** The memory behind one slot: its last payload, kept. */
interface SlotMemory {
  readonly bytes: Uint8Array;
  /** Payload and padding of the frame. */
  image: Uint8Array;
  /** Writes from `bytes` that are under way. */
  writes: number;
}

export class FrameWriter {
  readonly #medium: StgMedium;
  readonly #ids: ConnectionIds;
  /** By slot and volume; those on volumes that retain stay empty. */
  readonly #slots: (SlotMemory | undefined)[];
  /** For payloads that are no whole blocks, and what is read back. */
  #scratch: Uint8Array | undefined;

  constructor(medium: StgMedium, ids: ConnectionIds) {
    const { layout } = medium.identity;
    this.#medium = medium;
    this.#ids = ids;
    this.#slots = new Array<SlotMemory | undefined>(layout.slotsPerVolume * layout.volumeCount);
  }

  /** How many of `wantedBytes` the next frame takes: whole blocks when it is large. */
  frameBytes(wantedBytes: number): number {
    if (wantedBytes <= ODD_BYTES_MAX) return wantedBytes;
    const whole = wantedBytes - (wantedBytes % BLOCK_BYTES);
    return Math.min(whole, this.#medium.identity.layout.payloadBytes);
  }

  /** False while a write from the memory of that slot is under way. */
  isFree(seq: number, slot: number): boolean {
    const memory = this.#slots[this.#indexOf(seq, slot)];
    return memory === undefined || memory.writes === 0;
  }

  /**
   * Writes the payload of `entry` into its slot; it may change afterwards, whether or not the
   * write is complete.
   * @throws (or rejects) AgentError `volume`
   */
  write(entry: FrameEntry, payload: Uint8Array): Completion {
    const volume = this.#volumeOf(entry.seq);
    assert(payload.length === entry.lengthBytes, "the payload is the one that is described");
    const offset = slotOffset(this.#medium.identity.layout, this.#ids.local, entry.slot);
    if (!volume.retains) {
      this.keep(entry, 0, payload);
      return this.writeKept(entry);
    }
    const whole = payload.length % volume.blockBytes === 0;
    const image = whole ? payload : pad(this.#scratchBytes(), payload, volume.blockBytes);
    const pending = writeVolume(volume, offset, image);
    assert(pending === undefined, "a volume that retains is synchronous");
    return undefined;
  }

  /**
   * Writes a frame that was asked for again, to the byte.
   * @throws (or rejects) AgentError `volume`; `damaged` when it is not kept and the slot lost it
   */
  writeAgain(entry: FrameEntry): Completion {
    const volume = this.#volumeOf(entry.seq);
    const offset = slotOffset(this.#medium.identity.layout, this.#ids.local, entry.slot);
    const memory = this.#slots[this.#indexOf(entry.seq, entry.slot)];
    if (memory !== undefined) return this.#writeFrom(memory, volume, offset);
    const rounded = Math.ceil(entry.lengthBytes / volume.blockBytes) * volume.blockBytes;
    const image = this.#scratchBytes().subarray(0, rounded);
    const pending = readVolume(volume, offset, image);
    assert(pending === undefined, "a volume that retains is synchronous");
    if (crc32(image.subarray(0, entry.lengthBytes)) !== entry.payloadCrc) {
      throw new AgentError(
        "damaged",
        `Cannot send frame ${entry.seq} again: volume "${volume.name}" slot ${entry.slot} lost ` +
          `it, need a medium that retains what was written`,
      );
    }
    return writeVolume(volume, offset, image);
  }

  /** Copies part of the payload of `entry`, which is to be written by `writeKept`. */
  keep(entry: FrameEntry, atBytes: number, part: Uint8Array): void {
    const memory = this.#slots[this.#indexOf(entry.seq, entry.slot)] ??= this.#makeMemory(entry);
    assert(memory.writes === 0, "a frame's memory is used again when it was written");
    memory.bytes.set(part, atBytes);
  }

  /** Writes the payload that was kept. @throws (or rejects) AgentError `volume` */
  writeKept(entry: FrameEntry): Completion {
    const volume = this.#volumeOf(entry.seq);
    const memory = this.#slots[this.#indexOf(entry.seq, entry.slot)];
    assert(memory !== undefined && memory.writes === 0, "the payload was kept");
    const { lengthBytes } = entry;
    const rounded = Math.ceil(lengthBytes / volume.blockBytes) * volume.blockBytes;
    if (rounded > lengthBytes) memory.bytes.fill(0, lengthBytes, rounded);
    if (memory.image.length !== rounded) memory.image = memory.bytes.subarray(0, rounded);
    const offset = slotOffset(this.#medium.identity.layout, this.#ids.local, entry.slot);
    return this.#writeFrom(memory, volume, offset);
  }

  #writeFrom(memory: SlotMemory, volume: Volume, offset: number): Completion {
    const pending = writeVolume(volume, offset, memory.image);
    if (pending === undefined) return undefined;
    memory.writes++;
    return pending.finally(() => {
      memory.writes--;
    });
  }

  #makeMemory(entry: FrameEntry): SlotMemory {
    const bytes = this.#volumeOf(entry.seq).allocate(this.#medium.identity.layout.payloadBytes);
    return { bytes, image: bytes, writes: 0 };
  }

  #scratchBytes(): Uint8Array {
    return this.#scratch ??= new Uint8Array(this.#medium.identity.layout.payloadBytes);
  }

  #indexOf(seq: number, slot: number): number {
    const { layout } = this.#medium.identity;
    return volumeOfFrame(layout, seq) * layout.slotsPerVolume + slot;
  }

  #volumeOf(seq: number): Volume {
    const { identity: { layout }, volumes } = this.#medium;
    const volume = volumes[volumeOfFrame(layout, seq)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    return volume;
  }
}

function pad(scratch: Uint8Array, payload: Uint8Array, blockBytes: number): Uint8Array {
  const rounded = Math.ceil(payload.length / blockBytes) * blockBytes;
  scratch.set(payload);
  scratch.fill(0, payload.length, rounded);
  return scratch.subarray(0, rounded);
}
