// The ciphertext side of a TLS socket: a node Duplex over a connection, with a gate.
//
// Measured: Deno's TLS socket loses the end of the stream when it is paused while the end arrives.
// So it is never paused; instead the gate stops the reading of ciphertext, and what waits in clear
// stays bounded by what was read before.

import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { Conn } from "../conn.ts";
import { Change } from "../ground/change.ts";
import { writeAll } from "../ground/write_all.ts";
import { TLS_CIPHERTEXT_BYTES } from "./limits.ts";

/** An alert in clear: fatal (2), protocol_version (70). */
const NEED_TLS = Uint8Array.of(21, 3, 3, 0, 2, 2, 70);

export interface TlsDuplex {
  readonly duplex: Duplex;
  /** Stops and starts the reading of ciphertext. */
  readonly gate: { pause(): void; resume(): void; isPaused(): boolean };
}

/** Takes over `conn`; destroying the duplex closes it, an error of it destroys the duplex. */
export function tlsDuplex(conn: Conn): TlsDuplex {
  const change = new Change();
  let open = true;
  let wanted = false;
  let ended = false;
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      wanted = true;
      change.notify();
    },
    write(chunk: Uint8Array, _encoding, done) {
      writeAll(conn, chunk).then(() => done(), done);
    },
    final(done) {
      conn.closeWrite().then(() => done(), done);
    },
    destroy(error, done) {
      ended = true;
      change.notify();
      void conn.close();
      done(error);
    },
  });
  const pump = async () => {
    const into = new Uint8Array(TLS_CIPHERTEXT_BYTES);
    while (!ended) {
      if (!open || !wanted) {
        await change.next();
        continue;
      }
      const count = await conn.read(into);
      if (ended) return;
      if (count === null) {
        duplex.push(null);
        return;
      }
      if (conn.counters.receivedBytes === count && !beginsRecord(into)) {
        // The library's own alert would not get out before it ends the duplex.
        if (conn.counters.sentBytes === 0) await conn.write(NEED_TLS);
        throw new Error("wrong version: the first bytes are no TLS record");
      }
      wanted = duplex.push(Buffer.from(into.subarray(0, count)));
    }
  };
  pump().catch((error) => duplex.destroy(error));
  const gate = {
    pause: () => {
      open = false;
    },
    resume: () => {
      open = true;
      change.notify();
    },
    isPaused: () => !open,
  };
  return { duplex, gate };
}

/** The type of a TLS record is one of four. */
function beginsRecord([type = 0]: Uint8Array): boolean {
  return type >= 20 && type <= 23;
}
