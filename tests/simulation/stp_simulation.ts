// One simulated run of storage sockets: two hosts in one thread, with virtual time and media that
// have faults, all by one seed. `simulateStp` throws when a rule was broken.
//
// Rules: those of write_rules.ts (every write), stream_ledger.ts (every byte) and end_watch.ts (an
// end whose peer died); and here: a run ends within bounds after its last fault, nothing goes on after it ended, no rejection is left
// unhandled, and with recoverable faults every stream completes.

import process from "node:process";
import type { FaultClass } from "./fault_plan.ts";
import { SimEvents } from "./sim_events.ts";
import { SimHost } from "./sim_host.ts";
import { type Session, type SimWorld, SimWorld as World } from "./sim_world.ts";

/** After both daemons left, what is still waiting must end within this, in ms. */
const QUIET_MS = 30_000;

export interface SimOptions {
  /** Exactly these classes of faults, instead of some by the seed. */
  readonly only?: readonly FaultClass[] | undefined;
  /** Keeps the events as text. */
  readonly verbose?: boolean | undefined;
}

export interface SimResult {
  readonly faults: readonly FaultClass[];
  readonly synchronous: boolean;
  readonly volumes: number;
  readonly sessions: number;
  /** Sessions of which both ends got everything. */
  readonly completed: number;
  readonly deliveredBytes: number;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly events: number;
  /** Over all events: two runs with one hash did the same. */
  readonly hash: string;
}

/** A rule was broken. The message names the seed, the faults and the rule. */
export class BrokenRule extends Error {
  /** The last events, when they were asked for. */
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[], cause: unknown) {
    super(message, { cause });
    this.name = "BrokenRule";
    this.lines = lines;
  }
}

/** @throws BrokenRule */
export async function simulateStp(seed: number, options: SimOptions = {}): Promise<SimResult> {
  const world = new World({ seed, only: options.only, verbose: options.verbose });
  const onUnhandled = (reason: unknown) =>
    world.trace.breakRule(
      `unhandled rejection: ${reason instanceof Error ? reason.stack : reason}`,
    );
  process.on("unhandledRejection", onUnhandled);
  try {
    await play(world);
  } catch (cause) {
    const faults = [...world.faults.plan.classes].join(",") || "none";
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new BrokenRule(`seed ${seed} (faults: ${faults}): ${what}`, world.trace.lines, cause);
  } finally {
    process.off("unhandledRejection", onUnhandled);
  }
  return resultOf(world);
}

async function play(world: SimWorld): Promise<void> {
  const check = () => {
    world.ends.judge();
    if (world.trace.broken !== null) throw new Error(world.trace.broken);
  };
  const run = <T>(main: Promise<T>, limitMs: () => number) =>
    world.clock.run(main, { limitMs, check });
  await run(world.format(), () => 10_000);
  await run(serve(world), () => world.limitMs);
  if (world.strict) { for (const [key, session] of world.sessions) expectComplete(key, session); }
  check();
  const endMs = world.clock.nowMs + QUIET_MS;
  await run(untilQuiet(world), () => endMs);
}

async function serve(world: SimWorld): Promise<void> {
  const { random } = world;
  const restarts = random.chance(0.8);
  // Mostly one side connects; sometimes both do, over the same endpoints.
  const first = random.below(6);
  const second = random.chance(0.3) ? random.below(4) : 0;
  const [a, b] = random.chance(0.5) ? [first + 1, second] : [second, first + 1];
  const hosts = [
    new SimHost({ world, restarts, hostId: 1, peerId: 2, connections: a }),
    new SimHost({ world, restarts, hostId: 2, peerId: 1, connections: b }),
  ] as const;
  new SimEvents(world, hosts).start();
  const running = hosts.map((host) => host.run());
  await Promise.all(hosts.map((host) => host.connected));
  for (const host of hosts) host.finish();
  await Promise.all(running);
}

/** Settles when no timer but its own is left: nothing polls for ever. */
async function untilQuiet(world: SimWorld): Promise<void> {
  while (world.clock.timerCount > 0) await world.sleep(100);
}

function expectComplete(key: string, session: Session): void {
  const { connector, listener, plans } = session;
  const leaves = [plans.connector.leave, plans.listener.leave];
  if (leaves.includes("aborts") || leaves.includes("closes")) return;
  // An answer that came too late: the connector gave up and asked again.
  if (connector.offeredBytes === 0 && session.played < 2) return;
  for (const [own, other] of [[connector, listener], [listener, connector]] as const) {
    if (own.failure !== null) {
      throw new Error(`${own.name} of ${key} failed: ${own.failure.message}`);
    }
    if (own.sawEnd && own.receivedBytes === other.content.length) continue;
    throw new Error(`${own.name} got ${own.receivedBytes} of ${other.content.length} bytes`);
  }
}

function isComplete({ connector, listener }: Session): boolean {
  return connector.sawEnd && listener.sawEnd &&
    connector.receivedBytes === listener.content.length &&
    listener.receivedBytes === connector.content.length;
}

function resultOf(world: SimWorld): SimResult {
  const sessions = [...world.sessions.values()];
  return {
    faults: [...world.faults.plan.classes],
    synchronous: world.synchronous,
    volumes: world.layout.volumeCount,
    sessions: sessions.length,
    completed: sessions.filter(isComplete).length,
    deliveredBytes: sessions.reduce(
      (sum, { connector, listener }) => sum + connector.receivedBytes + listener.receivedBytes,
      0,
    ),
    simulatedMs: world.clock.nowMs,
    steps: world.clock.steps,
    events: world.trace.eventCount,
    hash: world.trace.hash,
  };
}
