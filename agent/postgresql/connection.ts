// A connection to a PostgreSQL server by its Unix socket: messages in, messages out, synchronously
// on a job's worker thread. It takes notices and parameters for itself and makes errors of 'E'.
//
// Life cycle: open, log in (replication.ts), ask, close. Whoever opened it closes it, also after
// an error; the server ends what it was doing then.

import { AgentError, type LocalSocket, SystemError } from "../../transport/mod.ts";
import { MAX_MESSAGE_BYTES, READ_BYTES } from "./limits.ts";
import {
  damagedMessage,
  decodeReport,
  decodeTexts,
  type Message,
  type ServerReport,
} from "./message.ts";

/** Type and length. */
const HEADER_BYTES = 5;

export interface PostgresConnectionOptions {
  readonly socket: LocalSocket;
  /** Path of the socket, for messages. */
  readonly path: string;
  /** What the server warns of. */
  readonly onNotice: (notice: ServerReport) => void;
}

export class PostgresConnection implements Disposable {
  readonly #options: PostgresConnectionOptions;
  readonly #parameters = new Map<string, string>();
  #buffer = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;

  constructor(options: PostgresConnectionOptions) {
    this.#options = options;
  }

  /** What the server says of itself, as in "server_version"; empty before it did. */
  parameter(name: string): string {
    return this.#parameters.get(name) ?? "";
  }

  /** @throws AgentError `reset` */
  send(message: Uint8Array): void {
    this.#system(() => this.#options.socket.writeAll(message));
  }

  /**
   * The next message; null when the server says nothing for a moment.
   * @throws AgentError what the server reports, `damaged`, `reset`
   */
  next(): Message | null {
    for (let message = this.#parse(); message !== null; message = this.#parse()) {
      if (message.type === "E") throw fromReport(decodeReport(message.body));
      if (message.type === "N") this.#options.onNotice(decodeReport(message.body));
      else if (message.type === "S") this.#setParameter(message.body);
      else return message;
    }
    return null;
  }

  [Symbol.dispose](): void {
    this.#options.socket.close();
  }

  #setParameter(body: Uint8Array): void {
    const [name = "", value = ""] = decodeTexts(body, 2);
    this.#parameters.set(name, value);
  }

  /** A whole message of the buffer, filled by one read where it has none. */
  #parse(): Message | null {
    for (let hasRead = false;; hasRead = true) {
      const held = this.#end - this.#start;
      let needed = HEADER_BYTES;
      if (held >= HEADER_BYTES) {
        const view = new DataView(this.#buffer.buffer, this.#start);
        const length = view.getUint32(1);
        if (length < 4 || length > MAX_MESSAGE_BYTES) {
          throw damagedMessage(`a message of ${length} bytes`, `4 to ${MAX_MESSAGE_BYTES}`);
        }
        needed = 1 + length;
        if (held >= needed) {
          const at = this.#start;
          this.#start += needed;
          return {
            type: String.fromCharCode(view.getUint8(0)),
            body: this.#buffer.subarray(at + HEADER_BYTES, at + needed),
          };
        }
      }
      if (hasRead || !this.#fill(needed)) return null;
    }
  }

  /** Reads once; the buffer takes a message of `needed` bytes. @returns false: nothing came */
  #fill(needed: number): boolean {
    const held = this.#buffer.subarray(this.#start, this.#end);
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(needed);
      larger.set(held);
      this.#buffer = larger;
    } else if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#start = 0;
    this.#end = held.length;
    const { socket, path } = this.#options;
    const count = this.#system(() => socket.read(this.#buffer.subarray(this.#end)));
    if (count === 0) {
      throw new AgentError("reset", `Cannot go on with PostgreSQL at "${path}": it hung up`, {
        hint: "Look into the server's log.",
      });
    }
    this.#end += count ?? 0;
    return count !== null;
  }

  #system<T>(step: () => T): T {
    try {
      return step();
    } catch (cause) {
      if (!(cause instanceof SystemError)) throw cause;
      const found = `${cause.syscall}: ${cause.errno}`;
      const message = `Cannot go on with PostgreSQL at "${this.#options.path}": found ${found}, ` +
        "need it to answer";
      throw new AgentError("reset", message, { cause, hint: "Look into the server's log." });
    }
  }
}

/** The error of an 'E', with a code by its SQLSTATE. */
function fromReport({ code, message, hint }: ServerReport): AgentError {
  const text = `Cannot go on with PostgreSQL: it said "${message}" (${code})`;
  if (code.startsWith("28")) {
    return new AgentError("auth", text, {
      hint: "Let the key `user` in by `peer` or `trust` for `local replication` in pg_hba.conf.",
    });
  }
  if (code === "57P03") return new AgentError("unreachable", text, { hint: "Try again later." });
  if (code === "53300") {
    return new AgentError("busy", text, { hint: "Raise `max_wal_senders` of the server." });
  }
  return new AgentError("failed", text, { hint: hint ?? "Look into the server's log." });
}
