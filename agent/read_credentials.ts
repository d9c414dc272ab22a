// The files that `tls` names, read into memory. Their content is checked where it is used.

import {
  AgentError,
  AT_CWD,
  type Files,
  readSmallFile,
  SystemError,
  type TlsCredentials,
} from "../transport/mod.ts";
import type { TlsConfig } from "./config/mod.ts";

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
    if (key === "key") refuseOpenKey(files, path);
    bytes = readSmallFile(files, path, PEM_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refusal(error.errno === "ENOENT" ? "found no such file" : `found ${error.errno}`, error);
  }
  if (bytes === null) throw refusal(`found more than ${PEM_BYTES_MAX} bytes`);
  return new TextDecoder().decode(bytes);
}

/** Who reads the key can be this host. A group may: that is how secrets are often handed out. */
function refuseOpenKey(files: Files, path: string): void {
  const { mode, type } = files.stat(AT_CWD, path, { follow: true });
  if (type !== "file" || (mode & 0o007) === 0) return;
  throw new AgentError(
    "usage",
    `Cannot use \`tls.key\` "${path}": found it open to every user (mode ` +
      `${mode.toString(8).padStart(4, "0")}), need 0600 or 0640`,
    { hint: `Run \`chmod 600 ${path}\`; issue a new key if others may have read it.` },
  );
}
