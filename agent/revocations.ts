// The list of revoked certificates that `tls.revoked` names: one serial (hex) or name on a line,
// and comments after `#`. It is read at each handshake, so that a revocation needs no restart.
//
// Invariant: a list that cannot be read revokes everything: nobody is let in by a lost file.

import {
  AgentError,
  AT_CWD,
  type Files,
  normalSerial,
  readSmallFile,
  SystemError,
} from "../transport/mod.ts";

/** Bytes of the list: thousands of serials. */
const LIST_BYTES_MAX = 256 * 1024;

/** @throws AgentError `usage` when there is no such list now */
export function revocations(files: Files, path: string) {
  readList(files, path);
  return (certificate: { readonly serial: string; readonly names: readonly string[] }): boolean => {
    const revoked = readList(files, path);
    return revoked.some((one) =>
      certificate.names.includes(one) || normalSerial(one) === certificate.serial
    );
  };
}

function readList(files: Files, path: string): readonly string[] {
  const refusal = (found: string, cause?: unknown) =>
    new AgentError("usage", `Cannot read \`tls.revoked\` "${path}": ${found}, need a list`, {
      hint: "Make an empty file when nothing is revoked; let the agent's user read it.",
      cause,
    });
  try {
    if (files.stat(AT_CWD, path, { follow: true }).type !== "file") throw refusal("found no file");
    const bytes = readSmallFile(files, path, LIST_BYTES_MAX);
    if (bytes === null) throw refusal(`found more than ${LIST_BYTES_MAX} bytes`);
    const lines = new TextDecoder().decode(bytes).split("\n");
    return lines.map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refusal(`found ${error.errno}`, error);
  }
}
