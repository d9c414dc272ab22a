// A server and a client in one thread, each with its own connect layer: TCP over the loopback, STP
// over volumes in memory. Every step of both sides goes into one list as it happens, so the test
// sees the order across the sides, which no two clocks would tell.

import type { Address, Conn } from "../../../../transport/conn.ts";
import { ConnectLayer, type Mechanism } from "../../../../transport/connect/mod.ts";
import {
  type Accepted,
  type FlowContext,
  type FlowIdentity,
  type FlowStep,
  FlowTrace,
  type GroupEncryption,
  ListeningPort,
  type Side,
  type StorageGroup,
  type UnusableGroup,
} from "../../../../transport/flow/mod.ts";
import type { ListeningSteps } from "../../../../transport/flow/listening_port.ts";
import type { ErrorRecord } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import type { Clock } from "../../../../transport/runtime/runtime.ts";
import { SealedConn } from "../../../../transport/sealed/mod.ts";
import { proveMedium } from "../../../../transport/stp/mod.ts";
import { TcpMechanism } from "../../../../transport/tcp/mod.ts";
import { type MemoryBed, openMemoryBed } from "../stp/stp_bed.ts";

export const runtime = await currentRuntime();
export const LOOPBACK = "127.0.0.1";
export const inet = (port: number): Address => ({ family: "AF_INET", address: LOOPBACK, port });

export const FIG4: ListeningSteps = {
  figure: "4",
  side: "client",
  socket: "112",
  bind: "114",
  listen: "116",
  accept: "118",
};
export const FIG4A: ListeningSteps = {
  figure: "4A",
  side: "client",
  socket: "152",
  bind: "154",
  listen: "156",
  accept: "158",
};
export const FIG5: ListeningSteps = {
  figure: "5",
  side: "server",
  socket: "",
  bind: "",
  listen: "",
  accept: "222",
};

export const IDENTITY: FlowIdentity = {
  name: "vault01",
  job: "job1",
  token: "00112233445566778899aabbccddeeff",
  connections: 2,
};

/** Encrypts where the other end needs it. */
export const PLAIN: GroupEncryption = {
  isRequired: false,
  seal: (conn, secret, side) =>
    new SealedConn(conn, { secret, side, aead: runtime.aead(), clock: runtime.clock }),
};

/** One host of the bed. */
export interface FlowHost {
  readonly layer: ConnectLayer;
  readonly context: FlowContext;
  readonly group: StorageGroup;
}

/** A group that the client cannot use. */
export function down(detail: string): UnusableGroup {
  return { unusable: { reason: "client_stg_down", detail } };
}

export class FlowBed implements AsyncDisposable {
  readonly #stp: MemoryBed;
  readonly #stop = new AbortController();
  readonly #ports: ListeningPort[] = [];
  readonly #watchers = new Set<() => void>();
  readonly clock: Clock;
  /** Steps of both sides in the order in which they happened. */
  readonly log: FlowStep[] = [];
  /** What the listening ports refused. */
  readonly refused: ErrorRecord[] = [];
  readonly server: FlowHost;
  readonly client: FlowHost;

  private constructor(stp: MemoryBed, clock: Clock) {
    this.#stp = stp;
    this.clock = clock;
    this.server = this.#host("server");
    this.client = this.#host("client");
  }

  static async open(clock: Clock = runtime.clock): Promise<FlowBed> {
    const { random } = runtime;
    const timing = { settleMs: 20, finMs: 20, lingerMs: 300 };
    return new FlowBed(await openMemoryBed({ clock: runtime.clock, random, timing }), clock);
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** The storage mechanism of a side, for a layer of the test's own. */
  storage(side: Side): Mechanism {
    return this.#stp.hosts[side === "server" ? 0 : 1].mechanism;
  }

  /** Takes the volumes away from a side. */
  cut(side: Side): void {
    this.#stp.paths[side === "server" ? 0 : 1].cut = true;
  }

  /** From now on no side sees what the other writes, as on clones of the volumes. */
  part(): void {
    for (const medium of this.#stp.media) medium.losesWrite = () => true;
  }

  readonly prove = (conn: Conn): Promise<void> => proveMedium(conn);

  /** Count of well-known ports that are open. */
  get listening(): number {
    return this.#ports.length;
  }

  /** Opens a well-known port of a side; the steps of what it accepts go into the log. */
  async listen(
    steps: ListeningSteps,
    onAccepted: (accepted: Accepted) => Promise<void>,
    port = 0,
  ): Promise<Address> {
    const { layer } = this[steps.side];
    const listening = await ListeningPort.open({
      layer,
      clock: this.clock,
      address: inet(port),
      steps,
      onAccepted: (accepted) => onAccepted(this.#logged(steps.side, accepted)),
      onRefused: (error) => {
        this.refused.push(error);
        for (const look of this.#watchers) look();
      },
    });
    this.#ports.push(listening);
    return listening.address;
  }

  /** Waits until the listening ports refused `count` connections. */
  async refusals(count: number): Promise<void> {
    while (this.refused.length < count) {
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** A plain connection from a stranger. */
  dial(address: Address): Promise<Conn> {
    const { port } = address;
    return runtime.network.connect({ address: LOOPBACK, port, timeoutMs: 5000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const port of this.#ports) await port[Symbol.asyncDispose]();
    await this.server.layer[Symbol.asyncDispose]();
    await this.client.layer[Symbol.asyncDispose]();
    await this.#stp.close();
  }

  #host(side: Side): FlowHost {
    const { name, uuid, volumeUuids } = this.#stp.identity;
    const layer = new ConnectLayer({
      network: new TcpMechanism(runtime.network),
      storage: this.storage(side),
    });
    const trace = new FlowTrace(side, this.clock, (step) => this.log.push(step));
    return {
      layer,
      context: { layer, clock: this.clock, trace, signal: this.signal },
      group: { name, uuid, volumeUuids, host: side === "server" ? 1 : 2, encryption: PLAIN },
    };
  }

  #logged(side: Side, accepted: Accepted): Accepted {
    const { descriptor, steps } = accepted;
    this.log.push(...steps);
    const trace = new FlowTrace(side, this.clock, (step) => {
      steps.push(step);
      this.log.push(step);
    });
    return { descriptor, trace, steps };
  }
}

/** The figure's numbers of one side's steps, in order, without the unnumbered ones. */
export function numbers(steps: readonly FlowStep[], figure: string, side: Side): string[] {
  return steps
    .filter((one) => one.figure === figure && one.side === side && one.step !== "")
    .map((one) => one.step);
}

/** Asserts by the list's order that each pair's first step happened before its second. */
export function outOfOrder(
  log: readonly FlowStep[],
  pairs: readonly (readonly [string, string])[],
): string[] {
  const at = (number: string) => log.findIndex((one) => one.step === number);
  return pairs
    .filter(([before, after]) => at(before) < 0 || at(after) < 0 || at(before) >= at(after))
    .map(([before, after]) => `${before} before ${after}`);
}

/** The descriptors that a layer has open. */
export function openDescriptors(layer: ConnectLayer): number[] {
  const open = (first: number) =>
    Array.from({ length: 16 }, (_, index) => first + index).filter((descriptor) => {
      try {
        layer.getsockname(descriptor);
        return true;
      } catch {
        return false;
      }
    });
  return [...open(3), ...open(65536)];
}
