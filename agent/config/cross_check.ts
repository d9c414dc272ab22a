// Rules between keys: what is right alone and wrong together.
//
// Pure. Each function looks only at parts that were read without a problem and records what it
// finds; a list that is not whole proves no absence.

import type { ClientPart } from "./server_schema.ts";
import { MIN_HEARTBEATS_PER_DEAD_TIME } from "./limits.ts";
import type { ReadPart, ReadParts, SectionReader } from "./section_reader.ts";
import { isName, type NetworkPart, type StgPart } from "./shared_schema.ts";
import type { ControlAddress } from "./config.ts";
import { closestName } from "./closest_name.ts";
import { checkListenAddress } from "./tls_check.ts";

export interface NetworkParts {
  readonly network: NetworkPart | undefined;
  readonly control: ControlAddress | undefined;
  /** Ports from `network.port` that this role listens on: 1 for a server, 2 for a client. */
  readonly portCount: 1 | 2;
}

/** The listening ports: within range, disjoint, and open to others only with TLS. */
export function checkNetwork(reader: SectionReader, parts: NetworkParts): void {
  const { network, control, portCount } = parts;
  if (network === undefined) return;
  const last = network.port + portCount - 1;
  if (last > 65535) {
    reader.refuse(
      ["network", "port"],
      `found ${network.port}, need at most 65534: the next port is used too`,
      "Choose a lower port.",
    );
  }
  const { dynamic } = network;
  if (dynamic !== null && dynamic.first <= last && network.port <= dynamic.last) {
    reader.refuse(
      ["network", "dynamic"],
      `found a range that contains port ${Math.max(network.port, dynamic.first)}, ` +
        `need one outside ${portRange(network.port, portCount)}`,
      "Move network.port out of the range.",
    );
  }
  if (control?.kind === "http" && control.port >= network.port && control.port <= last) {
    reader.refuse(
      ["control"],
      `found port ${control.port}, need one outside ${portRange(network.port, portCount)}`,
      "Choose another port for control.",
    );
  }
  checkListenAddress(reader, network.listen);
}

/** TCP control needs a token: everybody on the host could connect. */
export function checkControl(
  reader: SectionReader,
  parts: { readonly control: ControlAddress | undefined; readonly tokenGiven: boolean },
): void {
  if (parts.control?.kind === "http" && !parts.tokenGiven) {
    reader.refuse(
      ["control"],
      "found http without control_token, need a file with a token",
      "Add control_token: FILE, or use control: unix:PATH.",
    );
  }
}

/** Group names are unique, volumes are what their kind needs, times fit together. */
export function checkStgs(reader: SectionReader, stgs: ReadParts<StgPart>): void {
  const seen = new Map<string, ReadPart<StgPart>>();
  /** The group that has a raw device. */
  const owners = new Map<string, string>();
  for (const part of stgs.parts) {
    const { name } = part.value;
    if (seen.has(name)) {
      reader.refuse(
        [...part.path, "name"],
        `found "${name}" a second time, need unique names`,
        "Rename one of the groups.",
      );
    }
    seen.set(name, part);
    checkVolumes(reader, part, owners);
    checkTimes(reader, part);
  }
}

function checkVolumes(
  reader: SectionReader,
  { path, value: { name, array, volumes } }: ReadPart<StgPart>,
  owners: Map<string, string>,
): void {
  for (const [index, volume] of volumes.entries()) {
    const refuse = (found: string, hint: string) => {
      reader.refuse([...path, "volumes", index], `found "${volume}"${found}`, hint);
    };
    if (array !== undefined && !isName(volume)) {
      refuse(
        ", need the name of a volume of the array",
        "Remove array when the volumes are block devices.",
      );
    }
    if (array === undefined && !volume.includes("/")) {
      refuse(
        ", need an absolute path",
        "Write for example /dev/disk/by-id/NAME, or add array: DIR.",
      );
    }
    if (volumes.indexOf(volume) !== index) {
      refuse(" a second time, need each volume once", "Remove the repetition.");
    }
    if (array !== undefined) continue;
    const owner = owners.get(volume) ?? name;
    owners.set(volume, owner);
    if (owner === name) continue;
    refuse(
      `, which group "${owner}" has, need a device of its own`,
      "Give each group its devices.",
    );
  }
}

function checkTimes(reader: SectionReader, part: ReadPart<StgPart>): void {
  const { heartbeat, dead_time: deadTime } = part.value;
  const least = heartbeat * MIN_HEARTBEATS_PER_DEAD_TIME;
  if (deadTime >= least) return;
  reader.refuse(
    [...part.path, "dead_time"],
    `found ${deadTime}ms, need at least ${least}ms: ${MIN_HEARTBEATS_PER_DEAD_TIME} heartbeats`,
    "Raise dead_time or lower heartbeat.",
  );
}

/** Clients refer to groups that exist and do not stand on each other's ports. */
export function checkClients(
  reader: SectionReader,
  clients: ReadParts<ClientPart>,
  stgs: ReadParts<StgPart>,
): void {
  const stgNames = stgs.parts.map((part) => part.value.name);
  for (const { path, value } of clients.parts) {
    if (value.stg === undefined && value.channel !== "network-only") {
      reader.refuse(
        [...path, "stg"],
        `missing, need the name of a group for channel ${value.channel}`,
        "Add stg: NAME, or set channel: network-only.",
      );
    }
    if (value.stg !== undefined && stgs.whole && !stgNames.includes(value.stg)) {
      const near = closestName(value.stg, stgNames);
      reader.refuse(
        [...path, "stg"],
        `found "${value.stg}", need the name of a group under stgs`,
        near === null ? "Define the group under stgs." : `Did you mean "${near}"?`,
      );
    }
    if (value.port === 65535) {
      reader.refuse(
        [...path, "port"],
        "found 65535, need at most 65534: the next port is used too",
        "Choose a lower port.",
      );
    }
  }
  checkPeers(reader, clients.parts);
}

function checkPeers(reader: SectionReader, clients: readonly ReadPart<ClientPart>[]): void {
  for (const [index, part] of clients.entries()) {
    const rival = clients.slice(0, index).find((other) =>
      other.value.address === part.value.address &&
      Math.abs(other.value.port - part.value.port) <= 1
    );
    if (rival === undefined) continue;
    reader.refuse(
      [...part.path, "port"],
      `found ${part.value.port}, need one apart from ${rival.value.port} and ` +
        `${rival.value.port + 1} of client "${rival.key}" at the same address`,
      "Leave two ports for each client.",
    );
  }
}

/** A server's own port and a client's two ports on the same address are disjoint. */
export function checkOwnPorts(
  reader: SectionReader,
  own: { readonly listen: string; readonly port: number; readonly count: 1 | 2 },
  peer: {
    readonly path: readonly (string | number)[];
    readonly address: string;
    readonly port: number;
    readonly count: 1 | 2;
  },
): void {
  if (own.listen !== peer.address) return;
  const apart = peer.port + peer.count <= own.port || own.port + own.count <= peer.port;
  if (apart) return;
  reader.refuse(
    [...peer.path, "port"],
    `found ${peer.port}, need one outside ${portRange(own.port, own.count)} of this agent`,
    "Choose another port.",
  );
}

function portRange(port: number, count: 1 | 2): string {
  return count === 1 ? `${port}` : `${port}-${port + 1}`;
}
