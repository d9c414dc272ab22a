// What each end of each simulated connection sent, got and saw: judged at every step.
//
// Rules:
//  1. Delivered bytes are a prefix of what the other end offered, byte for byte.
//  2. Nothing is delivered to an end that closed, aborted or failed.
//  3. The end of the stream comes only after all of it, and only when the other end ended it.
//  4. What fails, fails with an operating error that says why.
//
// Content follows from the seed, the connection and the position, so that a byte in a wrong place
// shows.

import { AgentError } from "../../transport/ground/error.ts";
import type { RunTrace } from "./run_trace.ts";

/** Codes that a stream may fail with; anything else is a defect. */
const STREAM_CODES: ReadonlySet<string> = new Set(["reset", "volume", "closed", "cancelled"]);

/** What one end offers, and how far it got. */
export class EndLedger {
  readonly name: string;
  readonly content: Uint8Array;
  /** Handed to a write that has not failed. */
  offeredBytes = 0;
  /** Taken by writes. */
  acceptedBytes = 0;
  receivedBytes = 0;
  /** This end said that it writes no more. */
  finished = false;
  /** It got the end of the other's stream. */
  sawEnd = false;
  /** It closed, aborted or failed: it must get nothing more. */
  over = "";
  failure: AgentError | null = null;
  readonly #trace: RunTrace;

  constructor(name: string, content: Uint8Array, trace: RunTrace) {
    this.name = name;
    this.content = content;
    this.#trace = trace;
  }

  /** `bytes` came in from `other`. */
  receive(bytes: Uint8Array, other: EndLedger): void {
    const from = this.receivedBytes;
    if (this.over !== "") this.#break(`got ${bytes.length} bytes after it ${this.over}`);
    if (this.sawEnd) this.#break(`got ${bytes.length} bytes after the end`);
    if (from + bytes.length > other.offeredBytes) {
      this.#break(`got ${from + bytes.length} bytes of ${other.offeredBytes} offered`);
    }
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === other.content[from + i]) continue;
      this.#break(`got a wrong byte at ${from + i}`);
      break;
    }
    this.receivedBytes += bytes.length;
    this.#trace.note("got", this.name, this.receivedBytes);
  }

  /** The end of `other`'s stream came. */
  end(other: EndLedger): void {
    if (this.over !== "") this.#break(`got the end after it ${this.over}`);
    if (!other.finished) this.#break("got an end that the other did not send");
    // A write that was under way when its own end closed may have gone out in part.
    const cut = other.over === "closed" && this.receivedBytes <= other.offeredBytes;
    if (this.receivedBytes !== other.acceptedBytes && !cut) {
      this.#break(`got the end after ${this.receivedBytes} of ${other.acceptedBytes} bytes`);
    }
    this.sawEnd = true;
    this.#trace.note("end", this.name, this.receivedBytes);
  }

  /** A read or write failed; a failed read is the end of this end. */
  fail(call: "read" | "write", error: unknown): void {
    const known = error instanceof AgentError && STREAM_CODES.has(error.code);
    if (!known || !/^Cannot .+: .+/.test(error.message)) {
      this.#break(`failed to ${call} with ${String(error)}`);
      return;
    }
    // What is over may be refused with whatever ended it.
    if (this.over === "") this.failure ??= error;
    if (call === "read" && this.over === "") this.over = "failed";
    this.#trace.note(`failed-${call}`, this.name, this.receivedBytes);
    this.#trace.say(this.name, error.message);
  }

  #break(what: string): void {
    this.#trace.breakRule(`${this.name} ${what}`);
  }
}

/** The bytes that a direction carries: every place differs from its neighbours and other keys. */
export function streamContent(key: number, bytes: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let i = 0; i < words.length; i++) {
    let word = Math.imul(i + 1, 0x9e3779b1) ^ key;
    word = Math.imul(word ^ (word >>> 15), 0x85ebca6b);
    words[i] = word ^ (word >>> 13);
  }
  return new Uint8Array(words.buffer, 0, bytes);
}
