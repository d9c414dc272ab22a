// The last word of an endpoint that was given back: its block is published again until the peer
// shows that it saw the end. Without that a peer that missed it (the one write was lost, or an
// older one landed over it) would wait for ever, since our host lives.
//
// Invariant: ends when the endpoint is used again, whose block then tells the same, behind the
// fence, or after the dead time: a volume that fails may be back before.

import { AgentError } from "../ground/error.ts";
import type { ConnectionIds } from "./control_block.ts";
import { isOlderUse, peerEvent } from "./endpoint_state.ts";
import { SLEEP_MS_MAX } from "./limits.ts";
import type { OwnControl } from "./own_control.ts";
import type { PeerControl } from "./peer_control.ts";
import type { StgMedium } from "./stg_medium.ts";
import type { WriteFence } from "./write_fence.ts";

export interface FarewellOptions {
  readonly medium: StgMedium;
  readonly ids: ConnectionIds;
  readonly own: OwnControl;
  readonly peer: PeerControl;
  readonly fence: WriteFence;
}

/** Resolves when nobody needs to be told any more. */
export async function sayFarewell(options: FarewellOptions): Promise<void> {
  const { medium: { clock, timing }, own, peer, fence, ids } = options;
  const endMs = clock.monotonicMs() + timing.deadMs;
  let pauseMs = SLEEP_MS_MAX;
  while (!peerHasEnded(peer, ids) && clock.monotonicMs() < endMs) {
    await clock.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, timing.watchMs);
    if (own.retired) return;
    try {
      await peer.poll();
      if (peerHasEnded(peer, ids)) return;
      await own.publishBehind(fence, clock.monotonicMs());
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.code !== "volume") return; // Behind the fence nobody is told.
    }
  }
}

/** By the last poll; before the first one nothing is known. */
export function peerHasEnded({ block, state }: PeerControl, ids: ConnectionIds): boolean {
  if (state !== "ok" || isOlderUse(block.self, ids.peer)) return false;
  const { type } = peerEvent(block, ids);
  return type === "peer-freed" || type === "peer-aborted";
}
