// The door of a listener: strangers that come too often are not answered for a while. What the
// kernel drops costs us nothing, and they wait; a connection that is accepted and turned away costs
// both ends, and comes again at once.
//
// Neither runtime lets us choose whom it accepts, and Bun accepts all the time; so the kernel is
// told by a filter on the listening socket. Where it takes none the door stays open: what the
// listener's owner limits is all there is then.

import type { Clock, Door } from "./runtime.ts";
import { type ArrivalLimits, ArrivalPolicy, type Refused } from "./arrival_policy.ts";
import { type Libc, SETSOCKOPT, SOL_SOCKET } from "./libc.ts";
import { ARRIVAL_LOOK_MS } from "./limits.ts";
import type { OwnSockets, TcpEnd } from "./own_sockets.ts";
import { encodeSynFilter } from "./syn_filter.ts";

const SO_ATTACH_FILTER = 26;
/** struct sock_fprog: u16 count of instructions, then at byte 8 where they are. */
const PROGRAM_BYTES = 16;
const INSTRUCTION_BYTES = 8;

export interface TcpDoorParts {
  readonly libc: Libc;
  readonly sockets: OwnSockets;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
}

export class TcpDoor implements Door {
  readonly #parts: TcpDoorParts;
  readonly #descriptor: number | null;
  readonly #policy: ArrivalPolicy;
  readonly #closing = new AbortController();
  #isWatched = false;

  /** @param listening where the socket listens, which is open for longer than the door */
  constructor(parts: TcpDoorParts, listening: TcpEnd, limits: ArrivalLimits) {
    this.#parts = parts;
    this.#descriptor = parts.sockets.find({ local: listening, remote: null });
    this.#policy = new ArrivalPolicy(limits, parts.clock.monotonicMs());
  }

  arrived(address: string): void {
    const { clock } = this.#parts;
    if (!this.#policy.arrived(address, clock.monotonicMs())) return;
    this.#refuse(this.#policy.refused(clock.monotonicMs()));
    void this.#watch();
  }

  /** After it the descriptor's number may be another's. */
  close(): void {
    this.#closing.abort();
  }

  /** Lets those in again whose time has come, until nobody waits outside. */
  async #watch(): Promise<void> {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const { clock } = this.#parts;
    const { signal } = this.#closing;
    let refused: Refused = "all";
    while (refused === "all" || refused.length > 0) {
      await clock.sleep(ARRIVAL_LOOK_MS, { signal }).catch(() => {});
      if (signal.aborted) return;
      refused = this.#policy.refused(clock.monotonicMs());
      this.#refuse(refused);
    }
    this.#isWatched = false;
  }

  #refuse(refused: Refused): void {
    if (this.#descriptor === null || this.#closing.signal.aborted) return;
    const { libc } = this.#parts;
    const filter = encodeSynFilter(refused);
    // In one piece, which is looked at until the call: no part of it is collected before.
    const bytes = new Uint8Array(new ArrayBuffer(PROGRAM_BYTES + filter.length));
    const at = libc.addressOf(bytes);
    bytes.set(filter, PROGRAM_BYTES);
    const program = new DataView(bytes.buffer);
    program.setBigUint64(8, BigInt(at + PROGRAM_BYTES), true);
    program.setUint16(0, filter.length / INSTRUCTION_BYTES, true);
    const number = SETSOCKOPT[libc.architecture];
    libc.syscall(number, this.#descriptor, SOL_SOCKET, SO_ATTACH_FILTER, at, PROGRAM_BYTES);
  }
}
