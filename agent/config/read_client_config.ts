// A client's configuration from its parts: schemas, rules between keys, absolute paths. Pure.

import { z } from "zod";
import {
  CLIENT_KEYS,
  compressionSchema,
  databaseEntrySchema,
  type DatabasePart,
  DEFAULT_SPOOL,
  DEFAULT_STATE,
  type EncryptionFields,
  encryptionSchema,
  type HooksPart,
  hooksSchema,
  serverEntrySchema,
  walSocketSchema,
} from "./client_schema.ts";
import type { ClientConfig, DatabaseEntry, EncryptionConfig, HookConfig } from "./config.ts";
import { checkOwnPorts } from "./cross_check.ts";
import { checkPeerAddresses, checkServerName } from "./tls_check.ts";
import { DEFAULT_COMPRESSION_LEVEL, MAX_DATABASES, MAX_SCHEDULES } from "./limits.ts";
import { refuseBadNames } from "./read_server_config.ts";
import { readSharedConfig, resolveBeside } from "./read_shared_config.ts";
import { checkClientSchedules, clientSchedule, clientScheduleSchema } from "./schedule_schema.ts";
import type { ReadPart, SectionReader } from "./section_reader.ts";
import { pathSchema } from "./shared_schema.ts";

const NO_ENCRYPTION: EncryptionFields = {};

/** The configuration, or undefined after its problems were recorded in `reader`. */
export function readClientConfig(reader: SectionReader, file: string): ClientConfig | undefined {
  reader.refuseUnknownKeys(CLIENT_KEYS);
  const shared = readSharedConfig(reader, file, 2);
  const server = reader.read(["server"], serverEntrySchema);
  const databases = reader.readMap(["databases"], databaseEntrySchema, MAX_DATABASES);
  const spool = reader.read(["spool"], pathSchema.default(DEFAULT_SPOOL));
  const compression = reader.read(
    ["compression"],
    compressionSchema.default({ level: DEFAULT_COMPRESSION_LEVEL }),
  );
  const hooks = reader.read(["hooks"], hooksSchema.default({}));
  const encryption = reader.has("encryption")
    ? reader.read(["encryption"], encryptionSchema)
    : NO_ENCRYPTION;
  const allowRestore = reader.read(["allow_restore"], z.boolean().default(true));
  const walSocket = reader.has("wal_socket") ? reader.read(["wal_socket"], walSocketSchema) : null;
  const schedules = reader.readMap(["schedules"], clientScheduleSchema, MAX_SCHEDULES);
  const state = reader.read(["state"], pathSchema.default(DEFAULT_STATE));
  checkClientSchedules(reader, schedules, databases);
  refuseBadNames(reader, [...databases.parts, ...schedules.parts]);
  const { name, network, control } = shared;
  if (network !== undefined && server !== undefined) {
    const own = { listen: network.listen, port: network.port, count: 2 } as const;
    checkOwnPorts(reader, own, {
      path: ["server"],
      address: server.address,
      port: server.port,
      count: 1,
    });
  }
  if (server !== undefined) checkServerName(reader, { name: server.name });
  checkPeerAddresses(reader, server === undefined ? [] : [{ path: ["server"], value: server }]);
  if (name === undefined || network === undefined || control === undefined) return undefined;
  if (server === undefined || spool === undefined || compression === undefined) return undefined;
  if (allowRestore === undefined || hooks === undefined || state === undefined) return undefined;
  if (encryption === undefined || walSocket === undefined) return undefined;
  return {
    role: "client",
    file,
    name,
    network,
    control,
    controlToken: shared.controlToken,
    tls: shared.tls,
    stgs: shared.stgs,
    jobs: shared.jobs,
    server: { ...server, name: server.name ?? null },
    databases: databases.parts.map((part) => databaseEntry(part, file)),
    schedules: schedules.parts.map(clientSchedule),
    spool: resolveBeside(file, spool),
    state: resolveBeside(file, state),
    compression,
    hooks: { pre: hookOf(hooks.pre, file), post: hookOf(hooks.post, file) },
    encryption: encryptionConfig(encryption, file),
    allowRestore,
    walSocket: walSocket === null
      ? null
      : { ...walSocket, path: resolveBeside(file, walSocket.path) },
  };
}

/** A program with a "/" is a path beside the file; another one is looked for as a shell does. */
function hookOf(hook: HooksPart["pre"], file: string): HookConfig | null {
  if (hook === undefined) return null;
  const [program = "", ...rest] = hook.command;
  const command = [program.includes("/") ? resolveBeside(file, program) : program, ...rest];
  return { command, timeoutMs: hook.timeout, onFailure: hook.on_failure };
}

function encryptionConfig(fields: EncryptionFields, file: string): EncryptionConfig {
  const resolve = (path: string | undefined) =>
    path === undefined ? null : resolveBeside(file, path);
  return {
    recipients: fields.recipients ?? [],
    recipientsFile: resolve(fields.recipients_file),
    identityFile: resolve(fields.identity_file),
  };
}

function databaseEntry({ key, value }: ReadPart<DatabasePart>, file: string): DatabaseEntry {
  switch (value.kind) {
    case "sqlite":
      return { name: key, kind: "sqlite", path: resolveBeside(file, value.path) };
    case "postgresql":
      return {
        name: key,
        kind: "postgresql",
        data: resolveBeside(file, value.data),
        socket: resolveBeside(file, value.socket),
        port: value.port,
        user: value.user,
      };
    case "command":
      return { name: key, kind: "command", backup: value.backup, restore: value.restore };
  }
}
