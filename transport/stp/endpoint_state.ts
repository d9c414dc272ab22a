// The life of one connection's endpoint as (state, event) -> state + actions: pure.
//
// States: open -> closing -> freed, and from each of them -> failed. Reading goes on in "open"
// only; "closing" waits for the peer to read what was written (linger), then frees the endpoint.
//
// Invariants:
//  1. End of file only when every frame up to the final count was consumed.
//  2. Nothing is delivered in "failed": reads and writes reject with the failure.
//  3. Whatever the peer's block shows after it acknowledged our FIN and sent its own is no error.

import {
  type ConnectionIds,
  type ControlBlock,
  type EndpointId,
  sameEndpoint,
} from "./control_block.ts";

export type Phase = "open" | "closing" | "freed" | "failed";

export interface EndpointState {
  readonly phase: Phase;
  /** We sent FIN: no more writes. */
  readonly finSent: boolean;
  /** The peer's FIN was reached: reads give null. */
  readonly ended: boolean;
  /** The peer reads no more: writes reject. */
  readonly peerDeaf: boolean;
  /** Why the connection failed, for people; empty before. */
  readonly failure: string;
}

/** What the peer's block says, as far as the life cycle cares. */
export type PeerEvent =
  | { readonly type: "peer-open" }
  | { readonly type: "peer-closing" } // its application closed; what it wrote is still there
  | { readonly type: "peer-freed" } // its endpoint is free, or used by another connection
  | { readonly type: "peer-aborted"; readonly reason: string }
  | { readonly type: "fin-reached" } // every frame up to the peer's final count was consumed
  | { readonly type: "drained" }; // the peer acknowledged our FIN

export type EndpointEvent =
  | PeerEvent
  | { readonly type: "close-write" }
  | { readonly type: "close" }
  | { readonly type: "abort"; readonly reason: string }
  // A dead peer, a bad frame, a lost volume, the end of the linger time.
  | { readonly type: "fault"; readonly reason: string };

/** What the shell has to do, in this order. */
export type EndpointAction = "publish" | "publish-abort" | "release";

export interface EndpointStep {
  readonly state: EndpointState;
  readonly actions: readonly EndpointAction[];
}

export const OPEN: EndpointState = {
  phase: "open",
  finSent: false,
  ended: false,
  peerDeaf: false,
  failure: "",
};

/** Which life-cycle event the peer's block stands for; the caller adds FIN by its cursors. */
export function peerEvent(peer: ControlBlock, ids: ConnectionIds): PeerEvent {
  if (!sameEndpoint(peer.self, ids.peer)) return { type: "peer-freed" };
  if (peer.kind === "aborted") return { type: "peer-aborted", reason: peer.reason };
  if (peer.kind === "free" || peer.kind === "listening") return { type: "peer-freed" };
  const connecting = peer.kind === "connecting"; // it has not seen yet that we accepted
  if (!connecting && !sameEndpoint(peer.peer, ids.local)) return { type: "peer-freed" };
  return peer.kind === "closing" ? { type: "peer-closing" } : { type: "peer-open" };
}

/** An earlier use of the same endpoint: a read that returned old bytes, or a late write. */
export function isOlderUse(found: EndpointId, expected: EndpointId): boolean {
  if (found.host !== expected.host || found.endpoint !== expected.endpoint) return false;
  if (found.boot !== expected.boot) return found.boot < expected.boot;
  return found.generation < expected.generation;
}

export function nextEndpointState(state: EndpointState, event: EndpointEvent): EndpointStep {
  if (state.phase === "freed" || state.phase === "failed") return { state, actions: [] };
  switch (event.type) {
    case "peer-open":
      return { state, actions: [] };
    case "close-write":
      if (state.finSent) return { state, actions: [] };
      return { state: { ...state, finSent: true }, actions: ["publish"] };
    case "fin-reached":
      if (state.ended) return { state, actions: [] };
      return { state: { ...state, ended: true }, actions: ["publish"] };
    case "close":
      return onClose(state);
    case "peer-closing":
      return onPeerDeaf(state);
    case "drained":
      return state.phase === "closing" ? freed(state) : { state, actions: [] };
    case "peer-freed":
      if (state.phase === "closing" || state.ended) return onPeerDeaf(state);
      return failed(state, "the peer's endpoint ended without a close", "publish-abort");
    case "peer-aborted":
      // Our block must not stay "established" for ever, whatever the peer does next.
      return failed(state, event.reason || "aborted by the peer", "publish-abort");
    case "abort":
    case "fault":
      return failed(state, event.reason, "publish-abort");
  }
}

function onClose(state: EndpointState): EndpointStep {
  if (state.phase === "closing") return { state, actions: [] };
  const closing: EndpointState = { ...state, phase: "closing", finSent: true };
  if (state.peerDeaf) return freed(closing);
  return { state: closing, actions: ["publish"] };
}

/** The peer reads no more; what it wrote can still be read, and nothing needs to drain. */
function onPeerDeaf(state: EndpointState): EndpointStep {
  if (state.phase === "closing") return freed({ ...state, peerDeaf: true });
  return { state: { ...state, peerDeaf: true }, actions: [] };
}

function freed(state: EndpointState): EndpointStep {
  return { state: { ...state, phase: "freed" }, actions: ["publish", "release"] };
}

function failed(state: EndpointState, reason: string, action: "publish-abort"): EndpointStep {
  return {
    state: { ...state, phase: "failed", failure: reason },
    actions: [action, "release"],
  };
}
