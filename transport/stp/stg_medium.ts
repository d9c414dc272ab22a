// What every part of the transport needs of one group: its identity, volumes, clock, timing.
//
// Invariant: `volumes` are in the order of the identity, which was checked when they were opened.

import { assert } from "../ground/assert.ts";
import type { Clock, Random } from "../runtime/runtime.ts";
import type { Volume } from "../volume.ts";
import type { StgLayout } from "./stg_layout.ts";
import { type StpTiming, stpTiming } from "./stp_timing.ts";

/** Names a group and says how it lies on its volumes. Plain data: it crosses threads and wires. */
export interface StgIdentity {
  readonly name: string;
  readonly uuid: string;
  /** One per volume, in order. */
  readonly volumeUuids: readonly string[];
  readonly layout: StgLayout;
}

/** The claim of a host id: plain data, handed to the workers of the daemon that holds it. */
export interface HostClaim {
  readonly hostId: number;
  readonly hostName: string;
  /** Grows with each claim of the id. */
  readonly generation: number;
  /** Random, 16 hexadecimal digits: tells two claims of one generation apart. */
  readonly claim: string;
}

export interface StgMediumOptions {
  readonly identity: StgIdentity;
  readonly volumes: readonly Volume[];
  readonly clock: Clock;
  readonly random: Random;
  readonly timing?: Partial<StpTiming> | undefined;
}

export interface StgMedium extends StgMediumOptions {
  readonly timing: StpTiming;
  /** Volume 0: it carries the control blocks. */
  readonly controlVolume: Volume;
}

export function stgMedium(options: StgMediumOptions): StgMedium {
  const { identity, volumes } = options;
  assert(volumes.length === identity.layout.volumeCount, "all volumes of the group are open");
  const controlVolume = volumes[0];
  assert(controlVolume !== undefined, "a group has a volume");
  return { ...options, timing: stpTiming(options.timing), controlVolume };
}
