// One simulated run of storage sockets between two hosts: one thread, one seed, a medium with
// faults. `simulateStp(seed)` throws when a rule was broken; a soak runs it in a loop.
//
// Rules checked: what was delivered is a prefix of what was sent; where only delays, tears and
// stale reads happen, everything arrives and ends in order; nothing is delivered after an own
// abort; every run ends (no deadlock), whoever crashes.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/ground/error.ts";
import type { Random } from "../../transport/runtime/runtime.ts";
import { formatStg, StgMember, type StpConn, StpMechanism } from "../../transport/stp/mod.ts";
import { SimClock } from "./sim_clock.ts";
import { NO_FAULTS, type SimFaults, SimMedium, SimVolume } from "./sim_volume.ts";

export type SimProfile = "soft" | "harsh" | "crash";

export interface SimResult {
  readonly profile: SimProfile;
  readonly connections: number;
  readonly sentBytes: number;
  readonly deliveredBytes: number;
  /** Connections that ended with an error (none in the soft profile). */
  readonly failures: number;
  readonly simulatedMs: number;
}

const SOFT: SimFaults = { torn: 0.3, stale: 0.02, lost: 0, flipped: 0 };
const HARSH: SimFaults = { torn: 0.4, stale: 0.05, lost: 0.003, flipped: 0.003 };
const VOLUME_BYTES = 8 * 1024 * 1024;
const STREAM_BYTES_MAX = 700_000;
const LIMIT_MS = 300_000;
const FORMAT = { maxHosts: 2, endpointsPerHost: 6, ringSlots: 4, payloadBytes: 65536 };

/** mulberry32: numbers in [0, 1). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Host {
  readonly member: StgMember;
  readonly mechanism: StpMechanism;
  readonly volumes: readonly SimVolume[];
}

class Simulation {
  readonly chance: () => number;
  readonly clock = new SimClock();
  readonly profile: SimProfile;
  readonly #media: readonly SimMedium[];
  readonly #random: Random;
  sentBytes = 0;
  deliveredBytes = 0;
  failures = 0;
  connections = 0;

  constructor(seed: number) {
    const chance = seeded(seed);
    this.chance = chance;
    this.profile = chance() < 0.5 ? "soft" : chance() < 0.5 ? "harsh" : "crash";
    const count = 1 + Math.floor(chance() * 3);
    this.#media = Array.from(
      { length: count },
      () => new SimMedium(VOLUME_BYTES, this.clock, chance),
    );
    this.#random = {
      bytes: (length) => Uint8Array.from({ length }, () => Math.floor(chance() * 256)),
    };
  }

  async play(): Promise<void> {
    const hosts = await this.#hosts();
    const pairs = await this.#connect(hosts);
    this.connections = pairs.length;
    const crashes = this.profile === "crash";
    if (crashes) this.#crashLater(hosts[0]);
    const streams = pairs.flatMap(([a, b]) => [
      ...this.#stream(a, b, crashes ? "receiver" : "both"),
      ...this.#stream(b, a, crashes ? "sender" : "both"),
    ]);
    await Promise.all(streams);
    for (const [a, b] of pairs) {
      if (!crashes) await a.close();
      await b.close();
      const after = await b.read(new Uint8Array(1)).catch((error: unknown) => error);
      assert(after instanceof AgentError, "nothing is delivered after the end");
    }
    for (const host of crashes ? hosts.slice(1) : hosts) await host.member.close();
  }

  async #hosts(): Promise<readonly [Host, Host]> {
    const open = () => this.#media.map((medium, index) => new SimVolume(medium, `v${index}`));
    const random = this.#random;
    const first = open();
    const identity = await formatStg({ name: "sim", volumes: first, random, ...FORMAT });
    const join = async (hostId: number, volumes: readonly SimVolume[]): Promise<Host> => {
      const medium = { identity, volumes, clock: this.clock, random };
      const member = await StgMember.join({ ...medium, hostId, hostName: `host${hostId}` });
      const lease = member.lease(FORMAT.endpointsPerHost);
      const mechanism = new StpMechanism({ ...medium, claim: member.claim, lease });
      return { member, mechanism, volumes };
    };
    return [await join(1, first), await join(2, open())];
  }

  async #connect(hosts: readonly [Host, Host]): Promise<(readonly [StpConn, StpConn])[]> {
    const listening = hosts[1].mechanism.STPsocket();
    await listening.bind({ family: "AF_STP", stg: "sim", host: 2, port: 0 });
    const token = this.#random.bytes(16);
    await listening.listen({ backlog: 4, token });
    await this.clock.sleep(10);
    const faults = this.profile === "harsh" ? HARSH : SOFT;
    // Lost and flipped writes are for established connections: a handshake may time out on them.
    for (const medium of this.#media) medium.faults = { ...NO_FAULTS, torn: faults.torn };
    const pairs: (readonly [StpConn, StpConn])[] = [];
    const count = 1 + Math.floor(this.chance() * 3);
    while (pairs.length < count) {
      const socket = hosts[0].mechanism.STPsocket();
      await socket.connect(listening.getsockname(), { timeoutMs: 10_000, token });
      pairs.push([socket.conn, (await listening.accept()).conn]);
    }
    for (const medium of this.#media) medium.faults = faults;
    await listening.close();
    return pairs;
  }

  /**
   * One direction: random bytes in random pieces, read back and compared.
   * @returns the ends that must come to an end: those of a crashed host need not
   */
  #stream(from: StpConn, to: StpConn, awaited: "sender" | "receiver" | "both"): Promise<void>[] {
    const bytes = this.#random.bytes(Math.floor(this.chance() ** 2 * STREAM_BYTES_MAX));
    const sending = this.#judged(this.#send(from, bytes));
    const receiving = this.#judged(
      this.#receive(to, bytes).then((count) => {
        if (count !== bytes.length) throw new Error(`the end came after ${count} bytes`);
      }),
    );
    return [
      ...(awaited === "receiver" ? [] : [sending]),
      ...(awaited === "sender" ? [] : [receiving]),
    ];
  }

  /** Operating errors are allowed, but not where the medium only delays. */
  async #judged(end: Promise<void>): Promise<void> {
    try {
      await end;
    } catch (error) {
      if (!(error instanceof AgentError) || this.profile === "soft") throw error;
      this.failures++;
    }
  }

  async #send(conn: StpConn, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const size = 1 + Math.floor(this.chance() ** 3 * 300_000);
      at += await conn.write(bytes.slice(at, at + size));
      this.sentBytes = Math.max(this.sentBytes, at);
      if (this.chance() < 0.05) await this.clock.sleep(this.chance() * 200);
    }
    await conn.closeWrite();
  }

  /** @returns count of bytes until the end */
  async #receive(conn: StpConn, expected: Uint8Array): Promise<number> {
    const buffer = new Uint8Array(200_000);
    for (let at = 0;;) {
      const into = buffer.subarray(0, 1 + Math.floor(this.chance() ** 2 * 199_999));
      const count = await conn.read(into);
      if (count === null) return at;
      for (let i = 0; i < count; i++) {
        if (into[i] !== expected[at + i]) throw new Error(`a wrong byte at ${at + i}`);
      }
      at += count;
      this.deliveredBytes += count;
      if (this.chance() < 0.05) await this.clock.sleep(this.chance() * 200);
    }
  }

  /** From a random moment on nothing of the host completes any more. */
  #crashLater(host: Host): void {
    this.clock.after(this.chance() * 2000, () => {
      for (const volume of host.volumes) volume.crashed = true;
    });
  }
}

/** @throws when a rule was broken; the message carries the seed */
export async function simulateStp(seed: number): Promise<SimResult> {
  const simulation = new Simulation(seed);
  try {
    await simulation.clock.run(simulation.play(), LIMIT_MS);
  } catch (cause) {
    throw new Error(`seed ${seed} (${simulation.profile}): ${String(cause)}`, { cause });
  }
  const { profile, connections, sentBytes, deliveredBytes, failures, clock } = simulation;
  const simulatedMs = clock.monotonicMs();
  return { profile, connections, sentBytes, deliveredBytes, failures, simulatedMs };
}
