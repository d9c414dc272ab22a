// Messages of the frontend/backend protocol 3.0 (PostgreSQL's manual, "Frontend/Backend Protocol").
//
//   startup:  u32 length, u32 196608 (3.0), (name NUL value NUL)* NUL
//   others:   u8 type, u32 length (itself included), body
//   'D':      u16 columns, then for each i32 length (-1: null) and bytes
//   'E', 'N': (u8 field, text NUL)* NUL
//
// All numbers are big-endian. Pure: no I/O.

import { AgentError } from "../../transport/mod.ts";
import { MAX_COLUMNS } from "./limits.ts";

const PROTOCOL_3 = 3 << 16;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message of the server; the body's bytes are valid until the next one is read. */
export interface Message {
  /** As in "D". */
  readonly type: string;
  readonly body: Uint8Array;
}

/** A row of an answer; null is SQL's. */
export type Row = readonly (string | null)[];

/** What an 'E' or 'N' says, by the fields that people need. */
export interface ServerReport {
  readonly severity: string;
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

export function encodeStartup(parameters: Readonly<Record<string, string>>): Uint8Array {
  const text = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`).join("");
  const body = encoder.encode(`${text}\0`);
  const message = new Uint8Array(8 + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, PROTOCOL_3);
  message.set(body, 8);
  return message;
}

export function encodeQuery(text: string): Uint8Array {
  const body = encoder.encode(`${text}\0`);
  const message = new Uint8Array(5 + body.length);
  message[0] = "Q".charCodeAt(0);
  new DataView(message.buffer).setUint32(1, 4 + body.length);
  message.set(body, 5);
  return message;
}

/** @throws AgentError `damaged` */
export function decodeRow(body: Uint8Array): Row {
  const reader = new BodyReader(body);
  const columns = reader.u16();
  if (columns > MAX_COLUMNS) throw damagedMessage(`${columns} columns`, `at most ${MAX_COLUMNS}`);
  return Array.from({ length: columns }, () => {
    const length = reader.i32();
    return length < 0 ? null : decoder.decode(reader.bytes(length));
  });
}

/** @throws AgentError `damaged` */
export function decodeReport(body: Uint8Array): ServerReport {
  const reader = new BodyReader(body);
  const fields = new Map<string, string>();
  for (let field = reader.u8(); field !== 0; field = reader.u8()) {
    fields.set(String.fromCharCode(field), reader.text());
  }
  return {
    severity: fields.get("V") ?? fields.get("S") ?? "ERROR",
    code: fields.get("C") ?? "",
    message: fields.get("M") ?? "no message",
    hint: fields.get("H") ?? null,
  };
}

/** Texts that end in NUL, one after the other: an 'S', or the archives of a base backup. */
export function decodeTexts(body: Uint8Array, count: number): string[] {
  const reader = new BodyReader(body);
  return Array.from({ length: count }, () => reader.text());
}

/** The first number of an 'R'. */
export function decodeAuthentication(body: Uint8Array): number {
  return new BodyReader(body).i32();
}

class BodyReader {
  readonly #body: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4));
  }

  bytes(count: number): Uint8Array {
    const from = this.#take(count);
    return this.#body.subarray(from, from + count);
  }

  text(): string {
    const end = this.#body.indexOf(0, this.#at);
    if (end < 0) throw damagedMessage("a text without an end", "one that ends in NUL");
    const text = decoder.decode(this.#body.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#body.length) {
      throw damagedMessage(`${this.#body.length} bytes`, `${at + count}`);
    }
    this.#at += count;
    return at;
  }
}

export function damagedMessage(found: string, needed: string): AgentError {
  const message = `Cannot read what PostgreSQL sent: found ${found}, need ${needed}`;
  return new AgentError("damaged", message, {
    hint: "See that the keys `socket` and `port` lead to a PostgreSQL server.",
  });
}
