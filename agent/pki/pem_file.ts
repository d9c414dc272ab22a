// PEM files that appear whole or not at all, and never over another one.
//
// A file is written under a name of its own, synced, and then linked to its name: a link fails when
// the name is taken, and a crash before it leaves nothing that anybody would read.

import { AgentError } from "../../transport/ground/error.ts";
import { encodeHex } from "../../transport/ground/hex.ts";
import {
  AT_CWD,
  type Clock,
  type Files,
  type Random,
  readSmallFile,
  SystemError,
} from "../../transport/runtime/mod.ts";
import { PEM_BYTES_MAX } from "./limits.ts";

export interface PkiParts {
  readonly files: Files;
  readonly clock: Pick<Clock, "wallMs">;
  readonly random: Random;
}

/** @throws AgentError `failed` when one of the paths is taken */
export function refuseTaken(files: Files, paths: readonly string[]): void {
  for (const path of paths) {
    if (exists(files, path)) throw taken(path);
  }
}

/**
 * Makes a new file that only its owner may change; `mode` says who may read it.
 * @throws AgentError `failed` when there is one, and when the directory does not take it
 */
export function createPemFile(
  { files, random }: PkiParts,
  path: string,
  content: { readonly text: string; readonly mode: 0o600 | 0o644 },
): void {
  const part = `${path}.${encodeHex(random.bytes(8))}.part`;
  const { text, mode } = content;
  const flags = { access: "write", create: true, exclusive: true, mode } as const;
  try {
    const descriptor = files.open(AT_CWD, part, flags);
    try {
      writeAndLink(files, descriptor, { part, path, text });
    } finally {
      files.unlink(AT_CWD, part);
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw error.errno === "EEXIST" ? taken(path) : unwritable(path, error);
  }
}

function writeAndLink(
  files: Files,
  descriptor: number,
  { part, path, text }: { readonly part: string; readonly path: string; readonly text: string },
): void {
  try {
    files.writeAll(descriptor, new TextEncoder().encode(text));
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
  files.link(AT_CWD, part, AT_CWD, path);
}

/** Makes the names of new files in it last. */
export function syncDirectory(files: Files, directory: string): void {
  const descriptor = files.open(AT_CWD, directory, { access: "read", directory: true });
  try {
    files.sync(descriptor);
  } finally {
    files.close(descriptor);
  }
}

/** @throws AgentError `failed` when it cannot be read */
export function readPemFile(files: Files, path: string, hint: string): string {
  let bytes: Uint8Array | null;
  try {
    bytes = readSmallFile(files, path, PEM_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const found = error.errno === "ENOENT" ? "found no such file" : `found ${error.errno}`;
    throw new AgentError("failed", `Cannot read "${path}": ${found}, need a PEM file`, {
      hint,
      cause: error,
    });
  }
  if (bytes !== null) return new TextDecoder().decode(bytes);
  throw new AgentError("failed", `Cannot read "${path}": more than ${PEM_BYTES_MAX} bytes`, {
    hint,
  });
}

function exists(files: Files, path: string): boolean {
  try {
    files.stat(AT_CWD, path);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === "ENOENT") return false;
    throw unwritable(path, error);
  }
}

const WANTING: Readonly<Record<string, string>> = {
  ENOENT: "found no directory above it",
  ENOTDIR: "found a file where its directory should be",
};

/** The directory is not there, or not ours to write, or full. */
export function unwritable(path: string, cause: SystemError): AgentError {
  const found = WANTING[cause.errno] ?? `found ${cause.errno}`;
  return new AgentError("failed", `Cannot make "${path}": ${found}, need a place to write`, {
    hint: "Name a directory that is there and yours, or a new one in such a directory.",
    cause,
  });
}

function taken(path: string): AgentError {
  return new AgentError("failed", `Cannot make "${path}": found a file there, need none`, {
    hint: "Move the old file away if a new one is to take its place.",
  });
}
