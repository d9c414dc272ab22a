// Where everything of a storage transport group lies on its volumes: pure arithmetic.
//
// All volumes of a group have the same layout, in blocks of 4 KiB:
//   0                     superblock
//   1 .. H                host table: the block of host id h is block h
//   then H x E            control blocks, those of one host together (used on volume 0)
//   then H x E            proof blocks (medium proof, on every volume)
//   then, from a whole MiB on, H x E x S slots: transmit extents, those of an endpoint together
// A slot takes `payloadBytes`; what stands in it, says the frame table of the control block: the
// payload, then zeros up to the volume's own block, then what earlier frames left. What lies
// between the regions, and behind the last slot, is never read; a format clears all before the
// slots.
//
// Invariants: each block has one writer, the host in whose region it lies (block 0: the
// formatter). Frame `seq` lies on volume `seq mod n`, in the slot that its descriptor names
// (frame_entry.ts).

import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import {
  BLOCK_BYTES,
  ENDPOINTS_DEFAULT,
  ENDPOINTS_MAX,
  ENDPOINTS_MIN,
  EXTENT_ALIGN_BYTES,
  FRAME_ENTRIES,
  HOSTS_DEFAULT,
  HOSTS_MAX,
  HOSTS_MIN,
  PAYLOAD_BYTES_DEFAULT,
  PAYLOAD_BYTES_DISTANT,
  PAYLOAD_BYTES_MAX,
  PAYLOAD_BYTES_MIN,
  RING_SLOTS_DEFAULT,
  RING_SLOTS_MAX,
  RING_SLOTS_MIN,
  VOLUMES_MAX,
} from "./limits.ts";

/** Geometry of a group: plain data that crosses threads. */
export interface StgLayout {
  readonly volumeCount: number;
  readonly maxHosts: number;
  readonly endpointsPerHost: number;
  readonly slotsPerVolume: number;
  readonly payloadBytes: number;
}

/** Whose slots: an EndpointId is one. */
export interface SlotOwner {
  readonly host: number;
  readonly endpoint: number;
}

/** What the caller of `planLayout` wants fixed; the rest shrinks to fit. */
export interface LayoutWishes {
  readonly maxHosts?: number | undefined;
  readonly endpointsPerHost?: number | undefined;
  readonly ringSlots?: number | undefined;
  readonly payloadBytes?: number | undefined;
  /** A volume is no memory of this machine: frames are longer where there is room. */
  readonly distant?: boolean | undefined;
}

export function ringSlots(layout: StgLayout): number {
  return layout.slotsPerVolume * layout.volumeCount;
}

/** Frames that can be in flight: each needs a slot and a descriptor. */
export function windowFrames(layout: StgLayout): number {
  return Math.min(ringSlots(layout), FRAME_ENTRIES);
}

export function slotBytes(layout: StgLayout): number {
  return layout.payloadBytes;
}

/** Offset of the block of `hostId` (1 .. maxHosts) in the host table. */
export function hostBlockOffset(layout: StgLayout, hostId: number): number {
  assert(hostId >= 1 && hostId <= layout.maxHosts, "host ids count from 1");
  return hostId * BLOCK_BYTES;
}

export function hostTableBytes(layout: StgLayout): number {
  return layout.maxHosts * BLOCK_BYTES;
}

function endpointIndex(layout: StgLayout, hostId: number, endpoint: number): number {
  assert(hostId >= 1 && hostId <= layout.maxHosts, "host ids count from 1");
  assert(endpoint >= 0 && endpoint < layout.endpointsPerHost, "an endpoint of the host");
  return (hostId - 1) * layout.endpointsPerHost + endpoint;
}

function controlAreaStart(layout: StgLayout): number {
  return (1 + layout.maxHosts) * BLOCK_BYTES;
}

/** Offset of all control blocks of one host, on volume 0. */
export function controlAreaOffset(layout: StgLayout, hostId: number): number {
  return controlBlockOffset(layout, hostId, 0);
}

export function controlAreaBytes(layout: StgLayout): number {
  return layout.endpointsPerHost * BLOCK_BYTES;
}

export function controlBlockOffset(layout: StgLayout, hostId: number, endpoint: number): number {
  return controlAreaStart(layout) + endpointIndex(layout, hostId, endpoint) * BLOCK_BYTES;
}

export function proofBlockOffset(layout: StgLayout, hostId: number, endpoint: number): number {
  const area = layout.maxHosts * controlAreaBytes(layout);
  return controlAreaStart(layout) + area + endpointIndex(layout, hostId, endpoint) * BLOCK_BYTES;
}

/** Bytes before the first slot: what formatting clears. */
export function metadataBytes(layout: StgLayout): number {
  const used = controlAreaStart(layout) + 2 * layout.maxHosts * controlAreaBytes(layout);
  return Math.ceil(used / EXTENT_ALIGN_BYTES) * EXTENT_ALIGN_BYTES;
}

/** Offset of an endpoint's slots on each volume. */
export function extentOffset(layout: StgLayout, hostId: number, endpoint: number): number {
  const extentBytes = layout.slotsPerVolume * slotBytes(layout);
  return metadataBytes(layout) + endpointIndex(layout, hostId, endpoint) * extentBytes;
}

/** Offset of one slot of an endpoint on its volume. */
export function slotOffset(layout: StgLayout, by: SlotOwner, slot: number): number {
  assert(slot >= 0 && slot < layout.slotsPerVolume, "a slot of the endpoint");
  return extentOffset(layout, by.host, by.endpoint) + slot * slotBytes(layout);
}

/** Index of the volume on which a frame lies. */
export function volumeOfFrame(layout: StgLayout, seq: number): number {
  return seq % layout.volumeCount;
}

/** Bytes that the layout takes on each volume. */
export function layoutBytes(layout: StgLayout): number {
  const endpoints = layout.maxHosts * layout.endpointsPerHost;
  return metadataBytes(layout) + endpoints * layout.slotsPerVolume * slotBytes(layout);
}

/** True when the numbers of a superblock describe a layout that this program can have made. */
export function layoutIsSound(layout: StgLayout): boolean {
  const within = (value: number, min: number, max: number) =>
    Number.isSafeInteger(value) && value >= min && value <= max;
  return within(layout.volumeCount, 1, VOLUMES_MAX) &&
    within(layout.maxHosts, 2, HOSTS_MAX) &&
    within(layout.endpointsPerHost, 1, ENDPOINTS_MAX) &&
    within(layout.slotsPerVolume, 1, RING_SLOTS_MAX) &&
    within(layout.payloadBytes, PAYLOAD_BYTES_MIN, PAYLOAD_BYTES_MAX) &&
    layout.payloadBytes % BLOCK_BYTES === 0;
}

/**
 * The largest layout that fits `volumeBytes` on each of `volumeCount` volumes. What the caller
 * did not fix is halved until it fits: longer frames, then endpoints, hosts, slots and the payload.
 * @throws AgentError `no_space` with the size that the smallest layout needs, `usage`
 */
export function planLayout(
  volumeCount: number,
  volumeBytes: number,
  wishes: LayoutWishes = {},
): StgLayout {
  checkWish("volumes", volumeCount, 1, VOLUMES_MAX);
  if (wishes.maxHosts !== undefined) checkWish("hosts", wishes.maxHosts, 2, HOSTS_MAX);
  if (wishes.endpointsPerHost !== undefined) {
    checkWish("endpoints per host", wishes.endpointsPerHost, 1, ENDPOINTS_MAX);
  }
  if (wishes.ringSlots !== undefined) checkWish("slots", wishes.ringSlots, 1, RING_SLOTS_MAX);
  const distant = wishes.distant === true;
  const sizes = {
    endpoints: wishes.endpointsPerHost ?? ENDPOINTS_DEFAULT,
    hosts: wishes.maxHosts ?? HOSTS_DEFAULT,
    slots: wishes.ringSlots ?? RING_SLOTS_DEFAULT,
    payload: wishes.payloadBytes ?? (distant ? PAYLOAD_BYTES_DISTANT : PAYLOAD_BYTES_DEFAULT),
  };
  const layout = (): StgLayout => ({
    volumeCount,
    maxHosts: sizes.hosts,
    endpointsPerHost: sizes.endpoints,
    slotsPerVolume: Math.ceil(sizes.slots / volumeCount),
    payloadBytes: sizes.payload,
  });
  const steps: readonly [keyof typeof sizes, number | undefined, number][] = [
    ["payload", wishes.payloadBytes, PAYLOAD_BYTES_DEFAULT],
    ["endpoints", wishes.endpointsPerHost, ENDPOINTS_MIN],
    ["hosts", wishes.maxHosts, HOSTS_MIN],
    ["slots", wishes.ringSlots, RING_SLOTS_MIN],
    ["payload", wishes.payloadBytes, PAYLOAD_BYTES_MIN],
  ];
  for (const [key, wish, min] of steps) {
    if (wish !== undefined) continue;
    while (layoutBytes(layout()) > volumeBytes && sizes[key] / 2 >= min) sizes[key] /= 2;
  }
  const planned = layout();
  assert(layoutIsSound(planned), "a planned layout is sound");
  if (layoutBytes(planned) <= volumeBytes) return planned;
  throw new AgentError(
    "no_space",
    `Cannot lay out a storage transport group: the smallest volume has ${volumeBytes} bytes, ` +
      `need ${layoutBytes(planned)}`,
    { hint: "Use larger volumes." },
  );
}

function checkWish(what: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new AgentError(
    "usage",
    `Cannot lay out a storage transport group: ${value} ${what}, need ${min} to ${max}`,
  );
}
