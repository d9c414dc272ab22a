// What crosses between the two ends of a relay, over a MessagePort.
//
//   data     a chunk; its buffer is transferred, `bytes` of it count
//   credit   the buffer of a chunk that was consumed goes back to be filled again
//   end      no more data comes from this side
//   failed   this side's stream broke: nothing more is delivered, either way
//   close    from the relayed end: drain, close the connection and say so
//   closed   from the serving end: the connection is closed, this is the last message
//
// Invariant: a side sends at most CHUNK_COUNT chunks more than it has credits back.

import type { ErrorRecord } from "../ground/error.ts";

export type RelayMessage =
  | { readonly kind: "data"; readonly buffer: ArrayBuffer; readonly bytes: number }
  | { readonly kind: "credit"; readonly buffer: ArrayBuffer }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly error: ErrorRecord }
  | { readonly kind: "close" }
  | { readonly kind: "closed" };
