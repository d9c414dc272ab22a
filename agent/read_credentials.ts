// The files that `tls` names, read into memory. Their content is checked where it is used.

import {
  AgentError,
  type Files,
  readSmallFile,
  SystemError,
  type TlsCredentials,
} from "../transport/mod.ts";
import type { TlsConfig } from "./config/mod.ts";
import { refuseOpenFile } from "./refuse_open_file.ts";

/** Bytes of one PEM file: a chain of certificates has some KiB. */
const PEM_BYTES_MAX = 256 * 1024;

/** @throws AgentError `usage` that names the key and the file */
export function readCredentials(
  files: Files,
  tls: Pick<TlsConfig, "ca" | "cert" | "key">,
): TlsCredentials {
  const { ca, cert, key } = tls;
  return {
    ca: readPem(files, "ca", ca),
    cert: readPem(files, "cert", cert),
    key: readPem(files, "key", key),
  };
}

function readPem(files: Files, key: "ca" | "cert" | "key", path: string): string {
  const refusal = (found: string, cause?: unknown) =>
    new AgentError("usage", `Cannot read \`tls.${key}\` "${path}": ${found}, need a PEM file`, {
      hint: "Make the file with `agent pki issue`, and let the agent's user read it.",
      cause,
    });
  let bytes: Uint8Array | null;
  try {
    if (key === "key") {
      const what = `\`tls.key\` "${path}"`;
      refuseOpenFile(files, path, { what, renew: "issue a new key" });
    }
    bytes = readSmallFile(files, path, PEM_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refusal(error.errno === "ENOENT" ? "found no such file" : `found ${error.errno}`, error);
  }
  if (bytes === null) throw refusal(`found more than ${PEM_BYTES_MAX} bytes`);
  return new TextDecoder().decode(bytes);
}
