// A group as status, `/v1/stgs` and the metrics show it, from what the transport says: pure.

import type { HostStatus, StgStatus } from "../../transport/mod.ts";
import type { StgConfig } from "../config/mod.ts";
import type { StgView } from "../control/stg_view.ts";

export interface StgSeen {
  readonly config: StgConfig;
  readonly uuid: string | null;
  /** Why the group is down; null while it is up. */
  readonly reason: string | null;
  readonly hint?: string | undefined;
  readonly status: StgStatus | null;
  /** The hosts as they are now, where that is newer than `status`. */
  readonly hosts?: readonly HostStatus[];
}

const NOTHING_YET = {
  ports: [],
  endpoints: { total: 0, used: 0, quarantined: 0 },
  errors: {
    tornFrames: 0,
    staleFrames: 0,
    damagedFrames: 0,
    badBlocks: 0,
    cursorsBack: 0,
    cursorsBeyond: 0,
    framesAsked: 0,
    framesSentAgain: 0,
  },
} as const;

export function stgView({ config, uuid, reason, hint, status, hosts }: StgSeen): StgView {
  const seen = hosts ?? status?.hosts ?? [];
  return {
    name: config.name,
    state: reason === null ? "up" : "down",
    reason,
    hint: hint ?? null,
    uuid,
    host: config.host,
    volumes: config.volumes,
    hosts: seen.map((host) => hostView(host, status)),
    connections: status?.connections ?? [],
    warnings: status?.warnings ?? [],
  };
}

/** A group that is down, for the log. */
export function downLine({ name, reason, hint }: StgView): string {
  return `stg "${name}" is down: ${reason}${hint === null ? "" : `; hint: ${hint}`}`;
}

function hostView(seen: HostStatus, status: StgStatus | null): StgView["hosts"][number] {
  const reported = status?.hosts.find(({ host, generation }) =>
    host === seen.host && generation === seen.generation
  );
  const { ports, endpoints, errors } = reported ?? NOTHING_YET;
  return { ...seen, ports, endpoints, errors };
}
