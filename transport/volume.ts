// The volume contract: block-addressable space that several hosts share.
//
// This file imports nothing. The emulated array and raw devices implement it; STP is the user.
// STP does not know what it rides on, and a volume does not know that sockets ride on it.
//
// Invariants:
//  1. Offsets and lengths are multiples of `blockBytes` and lie inside `sizeBytes`; anything else
//     is our own bug (assertion).
//  2. A write that completed is seen by every read on every host that starts afterwards.
//  3. A read that runs while a write to the same blocks runs may return any mix of old and new:
//     no unit larger than nothing is atomic. Users prove their blocks by checksum.
//  4. Synchronous volumes finish inside the call and return undefined; asynchronous ones return a
//     promise. Callers write `const pending = v.read(…); if (pending) await pending;`.
//  5. Several operations may be under way at once; they complete in any order. A buffer belongs to
//     the volume until its operation is complete.

/** Undefined when the operation is already complete (synchronous volume), else its promise. */
export type Completion = Promise<void> | undefined;

export interface Volume {
  /** Name in the configuration; error messages use it. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Smallest unit and alignment of reads and writes, in bytes (a power of two, at most 4096). */
  readonly blockBytes: number;
  /**
   * True when a write that completed is there until it is overwritten: the medium is memory of
   * this machine, and the volume synchronous. False when it can lose or damage what it took, so
   * that users keep a copy of what they may have to write again. Ask for each write: it may become
   * false while the volume is open, for later writes, and is never true again.
   */
  readonly retains: boolean;
  /**
   * Fills `into` from `offsetBytes`.
   * @throws (or rejects) AgentError when the medium cannot be read
   */
  read(offsetBytes: number, into: Uint8Array): Completion;
  /**
   * Writes all of `from` at `offsetBytes`; complete means visible to every other host.
   * @throws (or rejects) AgentError when the medium cannot be written
   */
  write(offsetBytes: number, from: Uint8Array): Completion;
  /** Memory that `read` and `write` take as it is; any other may cost them a copy. */
  allocate(bytes: number): Uint8Array;
  /** Gives up the handle. Idempotent. */
  close(): void;
}
