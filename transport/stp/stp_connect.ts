// The connecting side of the handshake: find the listener, ask, wait for the answer.
//
// Invariants: every step ends at the deadline. An attempt that ends without a connection leaves
// an aborted block, so that a listener that was just answering drops it. No lost or stale block
// decides alone: the listener is looked for again, and our question is written again.

import type { Address } from "../conn.ts";
import { cancellation, throwIfCancelled } from "../ground/cancellation.ts";
import { AgentError, type ErrorCode } from "../ground/error.ts";
import { ControlArea } from "./control_area.ts";
import { type ControlBlock, type EndpointId, sameEndpoint } from "./control_block.ts";
import type { EndpointPool } from "./endpoint_pool.ts";
import type { FrameBudget } from "./frame_budget.ts";
import { readWholeHostBlock } from "./host_table.ts";
import { IdleLadder } from "./idle_ladder.ts";
import { ASK_MS_FIRST, SLEEP_MS_FIRST } from "./limits.ts";
import type { OwnControl } from "./own_control.ts";
import type { StgMedium } from "./stg_medium.ts";
import { StpConn } from "./stp_conn.ts";
import type { ThreadTurns } from "./thread_turns.ts";
import { tokenProof } from "./token_proof.ts";
import type { WriteFence } from "./write_fence.ts";

export type StpAddress = Extract<Address, { family: "AF_STP" }>;

export interface StpConnectOptions {
  readonly medium: StgMedium;
  readonly pool: EndpointPool;
  readonly turns: ThreadTurns;
  readonly fence: WriteFence;
  readonly budget: FrameBudget;
  readonly localPort: number;
  readonly to: StpAddress;
  readonly timeoutMs: number;
  readonly token?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * @throws AgentError `unreachable` (that host is not attached), `refused` (nobody listens),
 *   `reset` (the listener closed), `auth` (token), `timeout`, `cancelled`, `busy` (no endpoint
 *   left), `volume`
 */
export async function connectStp(options: StpConnectOptions): Promise<StpConn> {
  const { medium, pool, to, turns, fence, budget } = options;
  throwIfCancelled(options.signal);
  const deadlineMs = medium.clock.monotonicMs() + options.timeoutMs;
  const area = new ControlArea(medium);
  const listener = await findListener(options, area);
  const own = await pool.acquire({ signal: options.signal, deadlineMs });
  try {
    await ask(options, own, listener);
    const peer = await answer({ ...options, own, area, listener, deadlineMs });
    own.block.kind = "established";
    own.block.peer = peer;
    await own.publishBehind(fence, medium.clock.monotonicMs());
    const local: StpAddress = { ...to, host: own.self.host, port: options.localPort };
    return new StpConn({
      medium,
      own,
      ids: { local: own.self, peer },
      turns,
      fence,
      budget,
      release: (drained) => pool.release(own, drained),
      localAddr: local,
      remoteAddr: to,
    });
  } catch (error) {
    own.block.kind = "aborted";
    own.block.reason = "the connector gave up";
    try {
      await own.publishShown(fence, medium.clock);
    } catch {
      // The medium is gone: the first error says so, or why else nobody waits any more.
    }
    pool.release(own, true);
    throw error;
  }
}

/** A path may show what was there before the port was told, for as long as a frame is awaited. */
async function findListener(options: StpConnectOptions, area: ControlArea): Promise<EndpointId> {
  const { clock } = options.medium;
  const untilMs = clock.monotonicMs() + ASK_MS_FIRST;
  for (;;) {
    try {
      return await seenListener(options, area);
    } catch (error) {
      const mayShow = error instanceof AgentError &&
        (error.code === "unreachable" || error.code === "refused");
      if (!mayShow || clock.monotonicMs() >= untilMs) throw error;
    }
    await clock.sleep(SLEEP_MS_FIRST, { signal: options.signal });
  }
}

async function seenListener(
  { medium, to }: StpConnectOptions,
  area: ControlArea,
): Promise<EndpointId> {
  const boot = await attachedGeneration(medium, to);
  const listener = (await area.read(to.host, boot)).find((block) =>
    block.kind === "listening" && block.localPort === to.port
  );
  if (listener !== undefined) return listener.self;
  throw connectError("refused", to, "nobody listens there");
}

async function attachedGeneration(medium: StgMedium, to: StpAddress): Promise<number> {
  const { identity, controlVolume, clock } = medium;
  if (to.host < 1 || to.host > identity.layout.maxHosts) {
    throw connectError("unreachable", to, "no such host id");
  }
  const host = await readWholeHostBlock(identity, controlVolume, { hostId: to.host, clock });
  if (host?.attached) return host.generation;
  throw connectError("unreachable", to, "that host is not attached to the group");
}

async function ask(
  options: StpConnectOptions,
  own: OwnControl,
  listener: EndpointId,
): Promise<void> {
  const { to, token, medium, localPort, fence } = options;
  own.block.kind = "connecting";
  own.block.peer = listener;
  own.block.localPort = localPort;
  own.block.peerPort = to.port;
  if (token !== undefined) {
    own.block.tokenProof = tokenProof(token, {
      stgUuid: medium.identity.uuid,
      connector: own.self,
      listenerHost: to.host,
      listenerPort: to.port,
    });
  }
  await own.publishBehind(fence, medium.clock.monotonicMs());
}

interface AnswerOptions extends StpConnectOptions {
  readonly own: OwnControl;
  readonly area: ControlArea;
  readonly listener: EndpointId;
  readonly deadlineMs: number;
}

/** Waits until an endpoint of the listener's host names us as its peer. */
async function answer(options: AnswerOptions): Promise<EndpointId> {
  const { medium, own, area, listener, to, signal, turns, fence, deadlineMs } = options;
  const ladder = new IdleLadder();
  let askedMs = medium.clock.monotonicMs();
  for (;;) {
    const blocks = await area.read(to.host, listener.boot);
    const peer = blocks.find((block) => isAnswer(block, own.self));
    if (peer !== undefined) return peer.self;
    const listening = blocks.find((block) => sameEndpoint(block.self, listener));
    const refusal = listening?.refusals.find((one) => sameEndpoint(one.to, own.self));
    if (refusal !== undefined) throw connectError(refusal.reason, to, "the token is wrong");
    if (listening !== undefined && listening.kind !== "listening") {
      throw connectError("reset", to, "the listener closed");
    }
    const nowMs = medium.clock.monotonicMs();
    if (nowMs >= deadlineMs) {
      throw connectError("timeout", to, `no answer within ${options.timeoutMs} ms`);
    }
    if (signal?.aborted) throw cancellation(signal);
    if (nowMs - askedMs >= medium.timing.watchMs) {
      askedMs = nowMs;
      await own.publishBehind(fence, nowMs);
    }
    if (ladder.next(nowMs) !== "sleep") await turns.give();
    else {
      await medium.clock.sleep(Math.min(ladder.sleepMs, deadlineMs - nowMs), { signal });
    }
  }
}

/** Also an answer that has been closed or aborted by now: the first read will say so. */
function isAnswer(block: ControlBlock, self: EndpointId): boolean {
  const answered = block.kind !== "listening" && block.kind !== "connecting";
  return answered && sameEndpoint(block.peer, self);
}

function connectError(code: ErrorCode, to: StpAddress, found: string): AgentError {
  return new AgentError(
    code,
    `Cannot connect to storage socket "${to.stg}/${to.host}:${to.port}": ${found}, ` +
      `need a listener that answers`,
    { hint: "Look at hosts and ports with `agent stg status`." },
  );
}
