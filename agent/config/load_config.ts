// Configuration file → typed plain data, or every problem of the file at once.
//
// `loadServerConfig`, `loadClientConfig` and `loadConfigText` are pure: text in, result out.
// `loadConfig` also reads the file, through the handed-in Files. Unless a role is given it is
// decided by the content: `vault` or `clients` make a server, `server` or `databases` a client.

import { posix } from "node:path";
import { AgentError } from "../../transport/ground/error.ts";
import { type Files, readSmallFile, SystemError } from "../../transport/runtime/mod.ts";
import type { Config } from "./config.ts";
import type { ConfigResult } from "./config_problem.ts";
import { MAX_CONFIG_BYTES } from "./limits.ts";
import { readClientConfig } from "./read_client_config.ts";
import { readServerConfig } from "./read_server_config.ts";
import { isRecord, SectionReader } from "./section_reader.ts";
import { parseYaml, type YamlDocument } from "./yaml_document.ts";
import type { ClientConfig, ServerConfig } from "./config.ts";

export interface LoadOptions {
  /** Absolute path of the file: names it in messages, and relative paths are relative to it. */
  readonly file: string;
}

/** A server's configuration from YAML text. */
export function loadServerConfig(text: string, options: LoadOptions): ConfigResult<ServerConfig> {
  return withDocument(text, options, (reader) => readServerConfig(reader, options.file));
}

/** A client's configuration from YAML text. */
export function loadClientConfig(text: string, options: LoadOptions): ConfigResult<ClientConfig> {
  return withDocument(text, options, (reader) => readClientConfig(reader, options.file));
}

/** Either, by what the text contains. */
export function loadConfigText(text: string, options: LoadOptions): ConfigResult<Config> {
  return withDocument<Config>(text, options, (reader, document) => {
    const role = roleOf(document.value);
    if (role === "server") return readServerConfig(reader, options.file);
    if (role === "client") return readClientConfig(reader, options.file);
    reader.refuse(
      [],
      role === "both"
        ? "found keys of a server and of a client, need those of one role"
        : "found no key that tells the role, need vault and clients, or server",
      "Write one file for each agent.",
    );
    return undefined;
  });
}

/**
 * Reads and loads a configuration file.
 * @throws AgentError `usage` when the file cannot be read
 */
export function loadConfig(
  files: Files,
  file: string,
  role: "server" | "client" | null = null,
): ConfigResult<Config> {
  const text = readText(files, file);
  if (role === "server") return loadServerConfig(text, { file });
  if (role === "client") return loadClientConfig(text, { file });
  return loadConfigText(text, { file });
}

function withDocument<C>(
  text: string,
  options: LoadOptions,
  read: (reader: SectionReader, document: YamlDocument) => C | undefined,
): ConfigResult<C> {
  const { file } = options;
  const document = parseYaml(text);
  const reader = new SectionReader(document);
  if (reader.problems.length > 0) return { ok: false, file, problems: reader.problems };
  if (!isRecord(document.value)) {
    reader.refuse([], "found no map of keys, need one", "Write the configuration as key: value.");
    return { ok: false, file, problems: reader.problems };
  }
  const config = read(reader, document);
  if (config === undefined || reader.problems.length > 0) {
    return { ok: false, file, problems: reader.problems };
  }
  return { ok: true, config };
}

function roleOf(value: unknown): "server" | "client" | "both" | "none" {
  if (!isRecord(value)) return "none";
  const server = "vault" in value || "clients" in value;
  const client = "server" in value || "databases" in value;
  if (server && client) return "both";
  return server ? "server" : client ? "client" : "none";
}

function readText(files: Files, file: string): string {
  if (!posix.isAbsolute(file)) {
    throw new AgentError("usage", `Cannot read configuration "${file}": need an absolute path`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readBytes(files, file));
  } catch (error) {
    if (error instanceof AgentError) throw error;
    if (error instanceof SystemError) {
      throw new AgentError("usage", unreadable(file, UNREADABLE[error.errno] ?? error.errno), {
        hint: "Give the path of a readable file with --config FILE.",
        cause: error,
      });
    }
    throw new AgentError("usage", unreadable(file, "bytes that are not UTF-8"), {
      hint: "Save the file as UTF-8.",
      cause: error,
    });
  }
}

/** What the usual refusals of the system mean, in words. */
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "found no such file",
  EACCES: "found no permission to read it",
  EISDIR: "found a directory",
};

function unreadable(file: string, found: string): string {
  return `Cannot read configuration "${file}": ${found}, need a readable YAML file`;
}

function readBytes(files: Files, file: string): Uint8Array {
  const bytes = readSmallFile(files, file, MAX_CONFIG_BYTES);
  if (bytes !== null) return bytes;
  throw new AgentError(
    "usage",
    `Cannot read configuration "${file}": more than ${MAX_CONFIG_BYTES} bytes, need fewer`,
  );
}
