// Reads the keys that both roles have, checks them together, and makes paths absolute. Pure.

import { posix } from "node:path";
import type { ControlAddress, JobsConfig, NetworkConfig, StgConfig, TlsConfig } from "./config.ts";
import { checkControl, checkNetwork, checkStgs } from "./cross_check.ts";
import { MAX_SOCKET_PATH_BYTES, MAX_STGS } from "./limits.ts";
import type { ReadParts, SectionReader } from "./section_reader.ts";
import {
  controlSchema,
  jobsSchema,
  nameSchema,
  networkSchema,
  pathSchema,
  type StgPart,
  stgSchema,
  tlsSchema,
} from "./shared_schema.ts";

export interface SharedParts {
  readonly name: string | undefined;
  readonly network: NetworkConfig | undefined;
  readonly control: ControlAddress | undefined;
  readonly controlToken: string | null;
  readonly tls: TlsConfig | null;
  readonly stgParts: ReadParts<StgPart>;
  readonly stgs: readonly StgConfig[];
  readonly jobs: JobsConfig;
  readonly audit: string | null;
}

/** @param portCount ports from the WKP on that this role listens on */
export function readSharedConfig(
  reader: SectionReader,
  file: string,
  portCount: 1 | 2,
): SharedParts {
  const absolute = (path: string) => resolveBeside(file, path);
  const name = reader.read(["name"], nameSchema);
  const network = reader.read(["network"], networkSchema);
  const control = reader.read(["control"], controlSchema);
  const token = reader.read(["control_token"], pathSchema.optional());
  const audit = reader.read(["audit"], pathSchema.optional());
  const tls = reader.read(["tls"], tlsSchema.optional());
  const stgParts = reader.readList(["stgs"], stgSchema, MAX_STGS);
  checkNetwork(reader, { network, control, portCount });
  checkControl(reader, { control, tokenGiven: reader.has("control_token") });
  checkStgs(reader, stgParts);
  const jobs = reader.read(["jobs"], jobsSchema);
  return {
    name,
    network,
    control: control === undefined ? undefined : absoluteControl(reader, control, file),
    audit: audit === undefined ? null : absolute(audit),
    controlToken: token === undefined ? null : absolute(token),
    tls: tls === undefined ? null : {
      ca: absolute(tls.ca),
      cert: absolute(tls.cert),
      key: absolute(tls.key),
      revoked: tls.revoked === undefined ? null : absolute(tls.revoked),
    },
    stgParts,
    stgs: stgParts.parts.map(({ value }) => absoluteStg(value, absolute)),
    // Without a good one there is no configuration.
    jobs: { maxRunning: jobs?.max_running ?? 0, maxQueued: jobs?.max_queued ?? 0 },
  };
}

/** `path` as it is when absolute, else relative to the folder of `file`. */
export function resolveBeside(file: string, path: string): string {
  return posix.resolve(posix.dirname(file), path);
}

function absoluteControl(
  reader: SectionReader,
  control: ControlAddress,
  file: string,
): ControlAddress {
  if (control.kind === "http") return control;
  const path = resolveBeside(file, control.path);
  const bytes = new TextEncoder().encode(path).length;
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    reader.refuse(
      ["control"],
      `found a socket path of ${bytes} bytes, need at most ${MAX_SOCKET_PATH_BYTES}: ${path}`,
      "Write a shorter absolute path, for example unix:/run/agent/control.sock.",
    );
  }
  return { kind: "unix", path };
}

function absoluteStg(part: StgPart, absolute: (path: string) => string): StgConfig {
  return {
    name: part.name,
    host: part.host,
    array: part.array === undefined ? null : absolute(part.array),
    volumes: part.array === undefined ? part.volumes.map(absolute) : part.volumes,
    heartbeatMs: part.heartbeat,
    deadTimeMs: part.dead_time,
    encrypt: part.encrypt,
  };
}
