// Why a job that prefers the storage uses the network: a closed list. Programs read the code (in
// a job's summary, the catalog, metrics); people read its sentence and the detail beside it.
//
// Invariants:
//  1. Codes never change their meaning and say the side by name, so that both hosts and the
//     catalog show the same code for the same job.
//  2. The code comes from error codes and from where the error arose, never from its text.

import { AgentError } from "../ground/error.ts";
import type { Side } from "./flow_trace.ts";

/** Every code with its meaning. The first ones arise while a job is set up, the last in mid-job. */
export const FALLBACK_REASONS = {
  server_stg_down: "The storage transport group is not up on the server.",
  client_stg_down: "The storage transport group is not up, or not configured, on the client.",
  stg_mismatch: "The two hosts mean different groups or volumes by the same name.",
  no_endpoint: "Every endpoint or port of the group is in use on one of the hosts.",
  setup_refused: "The client did not take the set-up of the storage connection.",
  setup_timeout: "The storage connection did not come about in time.",
  setup_broken: "The set-up of the storage connection broke off.",
  proof_failed: "A volume did not show one host what the other had written on it.",
  server_volume_failed: "The server could not read or write a volume of the group.",
  client_volume_failed: "The client could not read or write a volume of the group.",
  server_stg_lost: "The server lost the group: its heartbeats no longer reached the storage.",
  client_stg_lost: "The client lost the group: its heartbeats no longer reached the storage.",
  connection_lost: "The storage connection broke, or the other host fell silent on the storage.",
} as const satisfies Readonly<Record<string, string>>;

export type FallbackReason = keyof typeof FALLBACK_REASONS;

export const FALLBACK_CODES = Object.keys(FALLBACK_REASONS) as readonly FallbackReason[];

/** A code and what was found, in words. */
export interface Fallback {
  readonly reason: FallbackReason;
  readonly detail: string;
}

/** True for a code of the list, for what comes from a peer or a disk. */
export function isFallbackReason(value: unknown): value is FallbackReason {
  return typeof value === "string" && Object.hasOwn(FALLBACK_REASONS, value);
}

/** A storage channel that cannot be used, with its code. */
export class StorageError extends AgentError {
  readonly fallback: Fallback;

  constructor(fallback: Fallback, options: { readonly cause?: unknown } = {}) {
    super("failed", `Cannot use the storage channel: ${fallback.detail}`, {
      hint: "Mend the storage transport group, or set `channel: prefer-storage` for this client.",
      ...options,
    });
    this.fallback = fallback;
  }
}

/** The code of a set-up that failed on this side. */
export function setupFallback(error: AgentError, side: Side): Fallback {
  if (error instanceof StorageError) return error.fallback;
  return { reason: setupReason(error, side), detail: error.message };
}

function setupReason(error: AgentError, side: Side): FallbackReason {
  if (isVolumeFailure(error)) return `${side}_volume_failed`;
  switch (error.code) {
    case "mismatch":
      return "stg_mismatch";
    case "busy":
      return "no_endpoint";
    case "timeout":
      return "setup_timeout";
    case "refused":
    case "unreachable":
    case "auth":
      return "setup_refused";
    default:
      return "setup_broken";
  }
}

/** The code of a storage connection that failed in mid-job on this side. */
export function lossFallback(error: AgentError, side: Side): Fallback {
  const reason = isVolumeFailure(error) ? `${side}_volume_failed` as const : "connection_lost";
  return { reason, detail: error.message };
}

/** True when a volume of this host failed, also when that ended the connection above it. */
export function isVolumeFailure(error: unknown): boolean {
  if (!(error instanceof AgentError)) return false;
  return error.code === "volume" || isVolumeFailure(error.cause);
}

/** True when the peer's host is gone from the storage, also when that ended the connection. */
export function isHostGone(error: unknown): boolean {
  if (!(error instanceof AgentError)) return false;
  return error.code === "unreachable" || isHostGone(error.cause);
}
