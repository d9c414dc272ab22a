// The files that `tls` names, read into memory. Their content is checked where it is used.

import {
  AgentError,
  AT_CWD,
  type Files,
  SystemError,
  type TlsCredentials,
} from "../transport/mod.ts";
import type { TlsConfig } from "./config/mod.ts";

/** Bytes of one PEM file: a chain of certificates has some KiB. */
const PEM_BYTES_MAX = 256 * 1024;

/** @throws AgentError `usage` that names the key and the file */
export function readCredentials(files: Files, tls: TlsConfig): TlsCredentials {
  const { ca, cert, key } = tls;
  return {
    ca: readPem(files, "ca", ca),
    cert: readPem(files, "cert", cert),
    key: readPem(files, "key", key),
  };
}

function readPem(files: Files, key: keyof TlsConfig, path: string): string {
  try {
    const descriptor = files.open(AT_CWD, path, { access: "read" });
    try {
      return new TextDecoder().decode(readBytes(files, descriptor, `${key}" "${path}`));
    } finally {
      files.close(descriptor);
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new AgentError("usage", `Cannot read \`tls.${key}\` "${path}": ${error.message}`, {
      hint: "Make the file with `agent pki issue`, and let the agent's user read it.",
      cause: error,
    });
  }
}

function readBytes(files: Files, descriptor: number, name: string): Uint8Array {
  const buffer = new Uint8Array(PEM_BYTES_MAX + 1);
  let length = 0;
  while (length < buffer.length) {
    const count = files.read(descriptor, buffer.subarray(length));
    if (count === 0) return buffer.subarray(0, length);
    length += count;
  }
  throw new AgentError(
    "usage",
    `Cannot read "${name}": more than ${PEM_BYTES_MAX} bytes, need fewer`,
  );
}
