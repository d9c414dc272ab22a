// A server's side of a local socket that is written before: the bytes come in pieces of any size,
// now and then nothing, and the end after the last one.

import type { LocalSocket } from "../../../../transport/runtime/mod.ts";

/** A message of the server. */
export function message(type: string, body: Uint8Array | string): Uint8Array {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const whole = new Uint8Array(5 + bytes.length);
  whole[0] = type.charCodeAt(0);
  new DataView(whole.buffer).setUint32(1, 4 + bytes.length);
  whole.set(bytes, 5);
  return whole;
}

/** The body of an 'E' or 'N'. */
export function report(fields: Readonly<Record<string, string>>): string {
  return `${Object.entries(fields).map(([field, text]) => `${field}${text}\0`).join("")}\0`;
}

/** The body of a 'D' of texts. */
export function row(...columns: readonly (string | null)[]): Uint8Array {
  const parts = columns.map((column) => column === null ? null : new TextEncoder().encode(column));
  const size = parts.reduce((sum, part) => sum + 4 + (part?.length ?? 0), 2);
  const body = new Uint8Array(size);
  const view = new DataView(body.buffer);
  view.setUint16(0, parts.length);
  let at = 2;
  for (const part of parts) {
    view.setInt32(at, part?.length ?? -1);
    body.set(part ?? [], at + 4);
    at += 4 + (part?.length ?? 0);
  }
  return body;
}

export class ScriptedSocket implements LocalSocket {
  isClosed = false;
  readonly written: Uint8Array[] = [];
  readonly #bytes: Uint8Array;
  readonly #pieceBytes: () => number;
  #at = 0;

  /** @param pieceBytes the size of the next piece; 0 is nothing for a moment */
  constructor(messages: readonly Uint8Array[], pieceBytes: () => number = () => 65536) {
    this.#bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const one of messages) {
      this.#bytes.set(one, at);
      at += one.length;
    }
    this.#pieceBytes = pieceBytes;
  }

  read(into: Uint8Array): number | null {
    const count = Math.min(this.#pieceBytes(), into.length);
    if (this.#at === this.#bytes.length) return 0;
    if (count === 0) return null;
    const part = this.#bytes.subarray(this.#at, this.#at + count);
    into.set(part);
    this.#at += part.length;
    return part.length;
  }

  writeAll(from: Uint8Array): void {
    this.written.push(from.slice());
  }

  close(): void {
    this.isClosed = true;
  }
}
