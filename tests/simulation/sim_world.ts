// What all parts of one simulated run share: time, media, faults, checkers, and the sessions.
//
// Invariants: everything follows from the seed. The group is formatted before faults are armed.

import { assert } from "../../transport/ground/assert.ts";
import { formatStg, planLayout } from "../../transport/stp/mod.ts";
import { BLOCK_BYTES } from "../../transport/stp/limits.ts";
import { layoutBytes, proofBlockOffset } from "../../transport/stp/stg_layout.ts";
import { type StgIdentity, type StpTiming, stpTiming } from "../../transport/stp/mod.ts";
import { type FaultClass, FaultInjector, isRecoverable, planFaults, REACH } from "./fault_plan.ts";
import { EndWatch } from "./end_watch.ts";
import { RunTrace } from "./run_trace.ts";
import { SeededRandom } from "./seeded_random.ts";
import { type EndPlan, planSession } from "./session_plan.ts";
import { SimClock } from "./sim_clock.ts";
import { flipBit, SimMedium } from "./sim_medium.ts";
import { SimProcess } from "./sim_process.ts";
import { SimVolume } from "./sim_volume.ts";
import { EndLedger, streamContent } from "./stream_ledger.ts";
import { WriteRules } from "./write_rules.ts";

/** A tenth of the real ones: a run has to live through several dead times. */
export const SIM_TIMING: StpTiming = stpTiming({
  heartbeatMs: 200,
  deadMs: 2000,
  settleMs: 50,
  watchMs: 200,
  healMs: 3000,
  lingerMs: 3000,
  finMs: 1500,
  quarantineMs: 4000,
  silentMs: 60_000,
});

/**
 * In every other run, and where an older block may cover or show for a newer one. In the others
 * silence lasts longer than a run, as in the product: there the daemons alone must end what their
 * killed workers left.
 */
const SHORT_SILENT_MS = 2100;
const COVERS = ["duplicate", "stale", "late", "delay", "reorder"] as const;
/** An end whose peer was killed is over within this: its silence, and what landed late before. */
const ALONE_MS = SHORT_SILENT_MS + 800;

/** After the last fault everything must have ended within this, in ms of simulated time. */
const SETTLE_MS = 25_000;

export interface WorldOptions {
  readonly seed: number;
  readonly only?: readonly FaultClass[] | undefined;
  readonly verbose?: boolean | undefined;
}

/** Both ends of one connection. */
export interface Session {
  readonly plans: { readonly connector: EndPlan; readonly listener: EndPlan };
  readonly connector: EndLedger;
  readonly listener: EndLedger;
  /** Ends that played to their end. */
  played: number;
}

export class SimWorld {
  readonly clock = new SimClock();
  readonly random: SeededRandom;
  readonly trace: RunTrace;
  readonly rules: WriteRules;
  readonly ends: EndWatch;
  readonly faults: FaultInjector;
  readonly layout: StgIdentity["layout"];
  readonly synchronous: boolean;
  /** Every stream must complete. */
  readonly strict: boolean;
  readonly sessions = new Map<string, Session>();
  readonly token: Uint8Array;
  identity: StgIdentity | null = null;
  readonly #timing: StpTiming;
  readonly #turnMs: number;
  readonly #graceful: boolean;
  readonly #sessionRandom: SeededRandom;
  readonly #media: readonly SimMedium[];

  constructor(options: WorldOptions) {
    const random = new SeededRandom(options.seed);
    this.random = random;
    this.trace = new RunTrace(this.clock, options.verbose ?? false);
    const volumeCount = 1 + random.below(3);
    const wishes = {
      maxHosts: 2 + random.below(2),
      endpointsPerHost: 4 + random.below(3),
      ringSlots: random.pick([2, 3, 4, 8]),
      payloadBytes: 65536,
    };
    this.layout = planLayout(volumeCount, 64 * 1024 * 1024, wishes);
    const plan = planFaults(random.fork(), this.clock.nowMs, options.only);
    const now = () => this.clock.nowMs;
    this.faults = new FaultInjector(plan, random.fork(), { now, volumeCount });
    this.rules = new WriteRules(this.layout, this.trace);
    const short = options.seed % 2 === 1 || COVERS.some((fault) => plan.classes.has(fault));
    this.#timing = short ? { ...SIM_TIMING, silentMs: SHORT_SILENT_MS } : SIM_TIMING;
    this.ends = new EndWatch(this.trace, { now, limitMs: short ? ALONE_MS : Infinity });
    this.synchronous = random.chance(0.5);
    this.strict = isRecoverable(plan);
    this.token = random.bytes(16);
    this.#turnMs = random.pick([0.05, 0.1, 0.2]);
    this.#graceful = random.chance(0.6);
    this.#sessionRandom = random.fork();
    const looksBack = plan.classes.has("stale") || plan.classes.has("torn_read");
    const bytes = layoutBytes(this.layout);
    this.#media = Array.from(
      { length: volumeCount },
      () => new SimMedium(bytes, this.clock, looksBack ? REACH.staleMs : 0),
    );
  }

  /** By when the run must be over, in ms of simulated time. */
  get limitMs(): number {
    return this.faults.plan.stopMs + SETTLE_MS;
  }

  async format(): Promise<void> {
    const process = new SimProcess("format", this.clock, this.#turnMs);
    const volumes = this.open(process, "format");
    const { layout, random } = this;
    this.identity = await formatStg({
      name: "sim",
      volumes,
      random,
      maxHosts: layout.maxHosts,
      endpointsPerHost: layout.endpointsPerHost,
      ringSlots: layout.slotsPerVolume * layout.volumeCount,
      payloadBytes: layout.payloadBytes,
    });
    this.faults.armed = true;
  }

  process(name: string): SimProcess {
    return new SimProcess(name, this.clock, this.#turnMs);
  }

  /** Handles of `process` on all volumes. */
  open(process: SimProcess, hostName: string): SimVolume[] {
    const { synchronous, clock, faults, rules } = this;
    return this.#media.map((medium, index) =>
      new SimVolume({ index, hostName, synchronous, medium, clock, process, faults, rules })
    );
  }

  /** A bit turns where nobody writes just now: in a host block, a control block or a slot. */
  flipAtRest(random: SeededRandom): void {
    const index = random.below(this.#media.length);
    const medium = this.#media[index];
    const fromByte = BLOCK_BYTES;
    const toByte = random.chance(0.7) ? proofBlockOffset(this.layout, 1, 0) : medium?.bytes.length;
    if (medium === undefined || toByte === undefined) return;
    const bit = (fromByte + random.below(toByte - fromByte)) * 8 + random.below(8);
    this.trace.note("flip-at-rest", "", index, bit >> 3);
    flipBit(medium.bytes, bit);
  }

  /** What a process of `hostId` needs of the group. */
  mediumOf(process: SimProcess, hostId: number) {
    const { identity, random } = this;
    const timing = this.#timing;
    assert(identity !== null, "the group was formatted");
    return { identity, volumes: this.open(process, `h${hostId}`), clock: process, random, timing };
  }

  /** A daemon or program stopped trying; in a run that must heal this is a broken rule. */
  gaveUp(process: SimProcess, what: string): void {
    this.trace.note(`gave-up-${what}`, process.name);
    if (this.strict) this.trace.breakRule(`${process.name} could not ${what}`);
  }

  /** The session of a connector's endpoint, whichever end asks first. */
  session(key: string): Session {
    const known = this.sessions.get(key);
    if (known !== undefined) return known;
    const plan = planSession(this.#sessionRandom, this.#graceful);
    const ledger = (role: string, salt: number, bytes: number) =>
      new EndLedger(`${key} ${role}`, streamContent(plan.key ^ salt, bytes), this.trace);
    const session: Session = {
      plans: plan,
      connector: ledger("connector", 0, plan.connector.bytes),
      listener: ledger("listener", 0x5bd1e995, plan.listener.bytes),
      played: 0,
    };
    this.sessions.set(key, session);
    return session;
  }

  /** Waits outside of every process. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve));
  }
}
