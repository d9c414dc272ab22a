// Reads announced frames out of the peer's transmit ring several at a time: for asynchronous
// volumes, so that the next payloads are on their way while one is delivered, each from its volume.
//
// Invariants: frames are delivered in order, each only after its payload proved itself. A buffer
// is used again when its frame was served and the volume has let go of it. What a read failed with
// is told when its frame is due.

import { assert, AssertionFailure } from "../ground/assert.ts";
import { crc32 } from "../ground/crc32.ts";
import { FrameEntry, type FrameVerdict, INLINE_SLOT } from "./frame_entry.ts";
import { PREFETCH_FRAMES } from "./limits.ts";
import { slotOffset, volumeOfFrame } from "./stg_layout.ts";
import type { StpLink } from "./stp_link.ts";
import { readVolume } from "./volume_io.ts";

interface Fetch {
  readonly entry: FrameEntry;
  /** Of the volume that the frame lies on. */
  bytes: Uint8Array | undefined;
  /** Undefined when there is nothing to wait for. */
  reading: Promise<void> | undefined;
  error: unknown;
}

export class FramePrefetch {
  readonly #link: StpLink;
  /** In whole rounds over the volumes: each is always of the same one, whose memory it keeps. */
  readonly #fetches: readonly Fetch[];
  /** The next frame whose reading begins, and its stream offset. */
  #nextSeq = 0;
  #nextOffset = 0;
  /** The frame that was read last. */
  #current: Fetch | undefined;
  #heldFrom = 0;
  #heldTo = 0;
  #polling = false;
  /** One timer at a time, whatever waits. */
  #tick: Promise<void> | undefined;

  constructor(link: StpLink) {
    this.#link = link;
    const { volumeCount } = link.medium.identity.layout;
    const length = Math.ceil(PREFETCH_FRAMES / volumeCount) * volumeCount;
    this.#fetches = Array.from({ length }, () => ({
      entry: new FrameEntry(),
      bytes: undefined,
      reading: undefined,
      error: undefined,
    }));
  }

  get lengthBytes(): number {
    return this.#current?.entry.lengthBytes ?? 0;
  }

  get heldBytes(): number {
    return this.#heldTo - this.#heldFrom;
  }

  slotOf(seq: number): number {
    const { entry } = this.#fetchOf(seq);
    return entry.seq === seq && entry.lengthBytes > 0 ? entry.slot : -1;
  }

  serve(into: Uint8Array): number {
    const bytes = this.#current?.bytes;
    assert(bytes !== undefined, "a held frame has bytes");
    const count = Math.min(into.length, this.heldBytes);
    into.set(bytes.subarray(this.#heldFrom, this.#heldFrom + count));
    this.#heldFrom += count;
    if (this.heldBytes === 0) this.#readAhead();
    return count;
  }

  /** Waits for the next frame and holds it: `serve` gives its bytes. @throws AgentError `volume` */
  async read(): Promise<FrameVerdict> {
    assert(this.heldBytes === 0, "a held frame is served before the next one is read");
    const seq = this.#link.receive.frames;
    const found = this.#start();
    if (this.#nextSeq <= seq) return found;
    const fetch = this.#fetchOf(seq);
    while (fetch.reading !== undefined) await this.#wait(fetch.reading);
    if (fetch.error !== undefined) throw fetch.error;
    const { entry, bytes } = fetch;
    assert(bytes !== undefined && entry.seq === seq, "a frame is read into its own buffer");
    if (crc32(bytes.subarray(0, entry.lengthBytes)) !== entry.payloadCrc) {
      // Read again at the next call; what comes behind it stays.
      this.#startOne(fetch, seq, entry.streamOffset);
      return "torn";
    }
    this.#current = fetch;
    this.#heldFrom = 0;
    this.#heldTo = entry.lengthBytes;
    return "ok";
  }

  /** A volume that does not answer must not hide that the peer is gone. */
  async #wait(reading: Promise<void>): Promise<void> {
    const { clock, timing } = this.#link.medium;
    this.#tick ??= clock.sleep(timing.watchMs).finally(() => this.#tick = undefined);
    await Promise.race([reading, this.#tick]);
    if (this.#tick === undefined) await this.#link.tend();
    if (this.#link.failure !== null) throw this.#link.failure;
  }

  /** Begins to read what is announced and has a buffer. @returns what the first other one lacks */
  #start(): FrameVerdict {
    const { receive } = this.#link;
    if (this.#nextSeq < receive.frames) {
      this.#nextSeq = receive.frames;
      this.#nextOffset = receive.bytes;
    }
    // The frame that is being served still has its buffer.
    const first = receive.frames - (this.heldBytes > 0 ? 1 : 0);
    const end = Math.min(receive.announcedFrames, first + PREFETCH_FRAMES);
    while (this.#nextSeq < end) {
      const fetch = this.#fetchOf(this.#nextSeq);
      // A read that was given up is not over yet.
      if (fetch.reading !== undefined) return "torn";
      const found = this.#startOne(fetch, this.#nextSeq, this.#nextOffset);
      if (found !== "ok") return found;
      this.#nextOffset += fetch.entry.lengthBytes;
      this.#nextSeq++;
    }
    return "ok";
  }

  #startOne(fetch: Fetch, seq: number, streamOffset: number): FrameVerdict {
    const { medium: { identity: { layout }, volumes }, ids } = this.#link;
    const found = this.#link.findFrame(seq, streamOffset, fetch.entry);
    if (found !== "ok") return found;
    const volume = volumes[volumeOfFrame(layout, seq)];
    assert(volume !== undefined, "a frame lies on a volume of the group");
    fetch.bytes ??= volume.allocate(layout.payloadBytes);
    fetch.error = undefined;
    if (fetch.entry.slot === INLINE_SLOT) {
      fetch.bytes.set(this.#link.inlinePayload(fetch.entry.lengthBytes));
      return "ok";
    }
    const rounded = Math.ceil(fetch.entry.lengthBytes / volume.blockBytes) * volume.blockBytes;
    const offset = slotOffset(layout, ids.peer, fetch.entry.slot);
    try {
      const pending = readVolume(volume, offset, fetch.bytes.subarray(0, rounded));
      if (pending !== undefined) fetch.reading = this.#finish(fetch, pending);
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      fetch.error = error;
    }
    return "ok";
  }

  async #finish(fetch: Fetch, pending: Promise<void>): Promise<void> {
    try {
      await pending;
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      fetch.error = error;
    } finally {
      fetch.reading = undefined;
    }
  }

  /** After a frame was served: the next ones, and a look whether more are announced. */
  #readAhead(): void {
    this.#start();
    const { receive, failure } = this.#link;
    if (this.#polling || failure !== null || this.#nextSeq < receive.announcedFrames) return;
    this.#polling = true;
    this.#pollAhead().finally(() => this.#polling = false);
  }

  async #pollAhead(): Promise<void> {
    try {
      await this.#link.poll();
    } catch (error) {
      if (error instanceof AssertionFailure) throw error;
      return; // The next call polls as well, and tells.
    }
    this.#start();
  }

  #fetchOf(seq: number): Fetch {
    const fetch = this.#fetches[seq % this.#fetches.length];
    assert(fetch !== undefined, "each frame that is fetched has a buffer");
    return fetch;
  }
}
