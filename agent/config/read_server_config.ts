// A server's configuration from its parts: schemas, rules between keys, absolute paths. Pure.

import { confinementOf } from "./confinement_schema.ts";
import type { ClientEntry, ServerConfig } from "./config.ts";
import { checkClients, checkOwnPorts } from "./cross_check.ts";
import { MAX_CLIENTS, MAX_SCHEDULES } from "./limits.ts";
import { readSharedConfig, resolveBeside } from "./read_shared_config.ts";
import type { ReadPart, SectionReader } from "./section_reader.ts";
import { retentionSchema } from "./retention_schema.ts";
import { checkServerSchedules, serverSchedule, serverScheduleSchema } from "./schedule_schema.ts";
import { readSelection } from "./selection_schema.ts";
import { clientEntrySchema, type ClientPart, SERVER_KEYS } from "./server_schema.ts";
import { isName, pathSchema } from "./shared_schema.ts";
import { checkPeerAddresses } from "./tls_check.ts";

/** The configuration, or undefined after its problems were recorded in `reader`. */
export function readServerConfig(reader: SectionReader, file: string): ServerConfig | undefined {
  reader.refuseUnknownKeys(SERVER_KEYS);
  const shared = readSharedConfig(reader, file, 1);
  const vault = reader.read(["vault"], pathSchema);
  const clients = reader.readMap(["clients"], clientEntrySchema, MAX_CLIENTS);
  const retention = reader.read(["retention"], retentionSchema.optional());
  const schedules = reader.readMap(["schedules"], serverScheduleSchema, MAX_SCHEDULES);
  checkClients(reader, clients, shared.stgParts);
  checkServerSchedules(reader, schedules, clients);
  checkPeerAddresses(reader, clients.parts);
  refuseBadNames(reader, [...clients.parts, ...schedules.parts]);
  const { name, network, control } = shared;
  if (network !== undefined) {
    const own = { listen: network.listen, port: network.port, count: 1 } as const;
    for (const { path, value } of clients.parts) {
      checkOwnPorts(reader, own, { path, address: value.address, port: value.port, count: 2 });
    }
  }
  if (name === undefined || network === undefined || control === undefined) return undefined;
  if (vault === undefined) return undefined;
  return {
    role: "server",
    file,
    name,
    network,
    control,
    controlToken: shared.controlToken,
    tls: shared.tls,
    stgs: shared.stgs,
    jobs: shared.jobs,
    vault: resolveBeside(file, vault),
    audit: shared.audit ?? `${resolveBeside(file, vault)}/audit.jsonl`,
    clients: clients.parts.map(clientEntry),
    schedules: schedules.parts.map((part) =>
      serverSchedule(part, {
        clients: clients.parts.map(({ key }) => key),
        absolute: (path) => resolveBeside(file, path),
      })
    ),
    retention: {
      general: retention ?? null,
      clients: clients.parts.flatMap(({ key, value }) =>
        value.retention === undefined ? [] : [{ client: key, retention: value.retention }]
      ),
    },
  };
}

/** Names that are keys of a map: no schema sees them. */
export function refuseBadNames(reader: SectionReader, parts: readonly ReadPart<unknown>[]): void {
  for (const { key, path } of parts) {
    if (isName(key)) continue;
    reader.refuse(
      path,
      `found the name ${JSON.stringify(key)}, need letters, digits, ".", "_" or "-"`,
      "Start the name with a letter or digit.",
      "key",
    );
  }
}

function clientEntry({ key, value }: ReadPart<ClientPart>): ClientEntry {
  return {
    name: key,
    address: value.address,
    port: value.port,
    stg: value.stg ?? null,
    channel: value.channel,
    waitMs: value.wait,
    connections: value.connections,
    selection: readSelection(value),
    fullEvery: value.full_every ?? null,
    allow: confinementOf(value),
  };
}
