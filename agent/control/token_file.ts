// Reads the file with the bearer token of a TCP control endpoint: the daemon's `control_token`,
// the command line's `--control-token`. The token is the file's text without surrounding space.

import { AgentError } from "../../transport/ground/error.ts";
import { type Files, readSmallFile, SystemError } from "../../transport/runtime/mod.ts";
import { refuseOpenFile } from "../refuse_open_file.ts";
import { MAX_TOKEN_BYTES, MIN_TOKEN_CHARACTERS } from "./limits.ts";

/** @throws AgentError `usage` when it cannot be read, is open to every user, or holds no token */
export function readToken(files: Files, path: string): string {
  const bytes = readBytes(files, path);
  if (bytes === null) throw refusal(path, `more than ${MAX_TOKEN_BYTES} bytes`);
  const token = new TextDecoder().decode(bytes).trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < MIN_TOKEN_CHARACTERS) {
    throw refusal(path, "no token");
  }
  return token;
}

function readBytes(files: Files, path: string): Uint8Array | null {
  try {
    refuseOpenFile(files, path, { what: `token "${path}"`, renew: "make a new one" });
    return readSmallFile(files, path, MAX_TOKEN_BYTES);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refusal(path, error.errno, error);
  }
}

function refusal(path: string, found: string, cause?: unknown): AgentError {
  return new AgentError(
    "usage",
    `Cannot read token "${path}": ${found}, need ${MIN_TOKEN_CHARACTERS} or more letters`,
    { hint: `Make one with \`(umask 077; head -c 24 /dev/urandom | base64 > ${path})\`.`, cause },
  );
}
