// Lays a storage transport group out on its volumes.
//
// Invariants: a volume that carries a superblock is not touched without `force`, and never while
// a host of that group beats. The superblocks go away first and come last, so that an
// interrupted format leaves volumes that nobody attaches.

import { AgentError } from "../ground/error.ts";
import type { Clock, Random } from "../runtime/runtime.ts";
import type { Volume } from "../volume.ts";
import { formatUuid, utf8Bytes } from "./block_fields.ts";
import { BLOCK_BYTES, NAME_BYTES_MAX, VOLUMES_MAX } from "./limits.ts";
import { metadataBytes, planLayout, type StgLayout } from "./stg_layout.ts";
import type { StgIdentity } from "./stg_medium.ts";
import { watchHosts } from "./stg_status.ts";
import { type StpTiming, stpTiming } from "./stp_timing.ts";
import { decodeSuperblock, encodeSuperblock, type Superblock } from "./superblock.ts";
import { readVolume, writeVolume } from "./volume_io.ts";

export interface FormatOptions {
  readonly name: string;
  readonly volumes: readonly Volume[];
  readonly random: Random;
  /** Formats over an existing group whose hosts are all gone. */
  readonly force?: boolean | undefined;
  /** Without `force`, refuses also what starts with data of no known kind: somebody's file. */
  readonly refuseForeign?: boolean | undefined;
  /** With a clock, `force` first watches whether a host of the old group still beats. */
  readonly clock?: Clock | undefined;
  readonly timing?: Partial<StpTiming> | undefined;
  /** What is left out is as large as the volumes permit. */
  readonly maxHosts?: number | undefined;
  readonly endpointsPerHost?: number | undefined;
  /** Slots of a ring over all volumes. */
  readonly ringSlots?: number | undefined;
  readonly payloadBytes?: number | undefined;
}

/** Bytes cleared by one write. */
const CLEAR_BYTES = 1024 * 1024;

/**
 * @throws AgentError `usage`, `no_space` (with the size that is needed), `busy` (a superblock or
 *   a live host is there), `volume`
 */
export async function formatStg(options: FormatOptions): Promise<StgIdentity> {
  const { name, volumes, random } = options;
  checkName("storage transport group", name);
  if (volumes.length < 1 || volumes.length > VOLUMES_MAX) {
    throw new AgentError(
      "usage",
      `Cannot format storage transport group "${name}": ${volumes.length} volumes, ` +
        `need 1 to ${VOLUMES_MAX}`,
    );
  }
  const smallest = Math.min(...volumes.map((volume) => volume.sizeBytes));
  const layout = planLayout(volumes.length, smallest, {
    ...options,
    distant: volumes.some((volume) => !volume.retains),
  });
  await refuseExisting(options);
  const volumeUuids = volumes.map(() => randomUuid(random));
  const stgUuid = randomUuid(random);
  for (const volume of volumes) await clearMetadata(volume, layout);
  // From the last to the first: volume 0 completes the group.
  for (let index = volumes.length - 1; index >= 0; index--) {
    const volume = volumes[index];
    if (volume === undefined) continue;
    const block = encodeSuperblock({
      stgUuid,
      stgName: name,
      volumeIndex: index,
      volumeUuids,
      layout,
    });
    await writeVolume(volume, 0, block);
  }
  return { name, uuid: stgUuid, volumeUuids, layout };
}

/** @throws AgentError `usage` when the name does not fit its field on disk */
export function checkName(what: string, name: string): void {
  const bytes = utf8Bytes(name);
  if (bytes >= 1 && bytes <= NAME_BYTES_MAX) return;
  throw new AgentError(
    "usage",
    `Cannot use ${what} "${name}": the name has ${bytes} bytes, need 1 to ${NAME_BYTES_MAX}`,
  );
}

async function refuseExisting(options: FormatOptions): Promise<void> {
  for (const volume of options.volumes) {
    const block = new Uint8Array(BLOCK_BYTES);
    await readVolume(volume, 0, block);
    const found = decodeSuperblock(block);
    if (found === "empty" || found === "foreign") {
      if (block.some((byte) => byte !== 0)) refuseForeign(options, volume);
      continue;
    }
    if (options.force !== true) {
      const what = typeof found === "string"
        ? `a superblock of a group (${found})`
        : `storage transport group "${found.stgName}"`;
      throw new AgentError(
        "busy",
        `Cannot format volume "${volume.name}": it carries ${what}, need an unused volume`,
        { hint: "Use --force to destroy the group that is there." },
      );
    }
    if (typeof found !== "string") await refuseLive(options, volume, found);
  }
}

function refuseForeign({ refuseForeign, force }: FormatOptions, volume: Volume): void {
  if (refuseForeign !== true || force === true) return;
  throw new AgentError(
    "busy",
    `Cannot format volume "${volume.name}": found data of an unknown kind at its start, ` +
      "need an unused volume",
    { hint: "Check the path; use --force to destroy what is there." },
  );
}

/** Any one volume of the old group shows its heartbeats. */
async function refuseLive(
  options: FormatOptions,
  volume: Volume,
  old: Superblock,
): Promise<void> {
  const { clock } = options;
  if (clock === undefined) return;
  const identity: StgIdentity = {
    name: old.stgName,
    uuid: old.stgUuid,
    volumeUuids: old.volumeUuids,
    layout: old.layout,
  };
  const watched = { identity, volumes: [volume], clock, timing: stpTiming(options.timing) };
  const live = (await watchHosts(watched)).find((host) => host.live);
  if (live === undefined) return;
  throw new AgentError(
    "busy",
    `Cannot format volume "${volume.name}": host ${live.host} "${live.name}" uses it, ` +
      `need a group without live hosts`,
    { hint: "Stop the daemons that use the group." },
  );
}

async function clearMetadata(volume: Volume, layout: StgLayout): Promise<void> {
  const zeros = new Uint8Array(CLEAR_BYTES);
  const end = metadataBytes(layout);
  for (let offset = 0; offset < end; offset += CLEAR_BYTES) {
    await writeVolume(volume, offset, zeros.subarray(0, Math.min(CLEAR_BYTES, end - offset)));
  }
}

/** A random (version 4) uuid. */
function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(bytes);
}
