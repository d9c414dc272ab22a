// Reads and verifies the superblocks of a group: are these volumes that group, all of it, in
// this order?
//
// Invariant: an identity that comes back was found the same on every volume.

import { AgentError } from "../ground/error.ts";
import type { Volume } from "../volume.ts";
import { BLOCK_BYTES, FORMAT_VERSION } from "./limits.ts";
import { layoutBytes } from "./stg_layout.ts";
import type { StgIdentity } from "./stg_medium.ts";
import { decodeSuperblock, type Superblock } from "./superblock.ts";
import { readVolume } from "./volume_io.ts";

export interface ReadIdentityOptions {
  /** Name in the configuration; errors use it. */
  readonly name: string;
  /** In the order of the configuration. */
  readonly volumes: readonly Volume[];
}

/**
 * @throws AgentError `mismatch` (not formatted, another group, another order, volumes missing),
 *   `unsupported` (another format version), `damaged`, `volume`
 */
export async function readStgIdentity(options: ReadIdentityOptions): Promise<StgIdentity> {
  const { name, volumes } = options;
  const superblocks: Superblock[] = [];
  for (const volume of volumes) superblocks.push(await readSuperblock(name, volume));
  const first = superblocks[0];
  if (first === undefined) throw mismatch(name, "no volumes", "at least one");
  superblocks.forEach((superblock, index) => {
    const volume = volumes[index]?.name ?? "";
    if (superblock.stgUuid !== first.stgUuid) {
      throw mismatch(
        name,
        `volume "${volume}" belongs to group ${superblock.stgUuid}`,
        `volumes of one group (the first is of ${first.stgUuid})`,
      );
    }
    if (superblock.volumeIndex !== index) {
      throw mismatch(
        name,
        `volume "${volume}" is number ${superblock.volumeIndex} of its group`,
        `number ${index} in this place`,
      );
    }
  });
  const { layout, volumeUuids } = first;
  if (volumes.length !== layout.volumeCount) {
    throw mismatch(name, `${volumes.length} volumes`, `all ${layout.volumeCount} of the group`);
  }
  if (first.stgName !== name) {
    throw mismatch(name, `the volumes carry group "${first.stgName}"`, "the same name");
  }
  return { name, uuid: first.stgUuid, volumeUuids, layout };
}

async function readSuperblock(name: string, volume: Volume): Promise<Superblock> {
  const block = new Uint8Array(BLOCK_BYTES);
  await readVolume(volume, 0, block);
  const found = decodeSuperblock(block);
  if (found === "empty" || found === "foreign") {
    throw mismatch(name, `volume "${volume.name}" is not formatted`, "a volume of the group");
  }
  if (found === "version") {
    throw new AgentError(
      "unsupported",
      `Cannot attach storage transport group "${name}": volume "${volume.name}" has another ` +
        `format, need version ${FORMAT_VERSION}`,
      { hint: "Use the same release of the agent on all hosts." },
    );
  }
  if (found === "damaged") {
    throw new AgentError(
      "damaged",
      `Cannot attach storage transport group "${name}": the superblock of volume ` +
        `"${volume.name}" is damaged, need a right checksum`,
      { hint: "Format the group again with `agent stg format --force`." },
    );
  }
  const neededBytes = layoutBytes(found.layout);
  if (volume.sizeBytes < neededBytes) {
    throw mismatch(
      name,
      `volume "${volume.name}" has ${volume.sizeBytes} bytes`,
      `the ${neededBytes} that it was formatted with`,
    );
  }
  return found;
}

function mismatch(name: string, found: string, wanted: string): AgentError {
  return new AgentError(
    "mismatch",
    `Cannot attach storage transport group "${name}": ${found}, need ${wanted}`,
    { hint: "Compare `volumes` in the configuration of the hosts, or run `agent stg format`." },
  );
}
