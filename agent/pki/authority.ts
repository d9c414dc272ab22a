// The CA of an installation: `ca.pem`, which every host gets, and `ca.key`, which none gets.

import { posix } from "node:path";
import { AgentError } from "../../transport/ground/error.ts";
import { encodeHex } from "../../transport/ground/hex.ts";
import { AT_CWD, type Files, type Random, SystemError } from "../../transport/runtime/mod.ts";
import { AUTHORITY_LIFE_MS, CLOCK_SKEW_MS, SERIAL_BYTES } from "./limits.ts";
import { loadX509 } from "./load_x509.ts";
import {
  createPemFile,
  type PkiParts,
  readPemFile,
  refuseTaken,
  syncDirectory,
  unwritable,
} from "./pem_file.ts";
import type { Signer } from "./x509_library.ts";

/** Base name of the authority's files; no host may have it. */
export const AUTHORITY = "ca";

export interface AuthorityReport {
  /** Absolute paths. */
  readonly ca: string;
  readonly key: string;
  /** RFC 3339, UTC. */
  readonly expires: string;
}

/**
 * Makes a CA in `directory`, which is made when it is not there.
 * @throws AgentError `failed` when it has one already, SystemError
 */
export async function createAuthority(
  directory: string,
  parts: PkiParts,
): Promise<AuthorityReport> {
  const { files, clock, random } = parts;
  const [ca, key] = [pemPath(directory, AUTHORITY), keyPath(directory, AUTHORITY)];
  makeDirectory(files, directory);
  refuseTaken(files, [ca, key]);
  const { makeAuthority } = await loadX509();
  const nowMs = wholeSeconds(clock.wallMs());
  const serial = serialNumber(random);
  const notAfter = new Date(nowMs + AUTHORITY_LIFE_MS);
  const pem = await makeAuthority({
    // Part of the number is in the name, so that two authorities are told apart.
    name: `agent CA ${serial.slice(0, 8)}`,
    serial,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter,
  });
  createPemFile(parts, key, { text: pem.key, mode: 0o600 });
  createPemFile(parts, ca, { text: pem.certificate, mode: 0o644 });
  syncDirectory(files, directory);
  return { ca, key, expires: notAfter.toISOString() };
}

/** @throws AgentError `failed` when the directory holds no usable CA */
export async function openAuthority(
  directory: string,
  { files, clock }: PkiParts,
): Promise<Signer> {
  const hint = `Make a CA with \`agent pki init ${directory}\`.`;
  const pem = {
    certificate: readPemFile(files, pemPath(directory, AUTHORITY), hint),
    key: readPemFile(files, keyPath(directory, AUTHORITY), hint),
  };
  const { belongTogether, isAuthority, readSigner } = await loadX509();
  const unusable = (found: string, cause?: unknown) =>
    new AgentError("failed", `Cannot issue from "${directory}": ${found}`, { hint, cause });
  let signer: Signer;
  try {
    signer = await readSigner(pem);
  } catch (error) {
    throw unusable("found files that are no certificate and key, need those of a CA", error);
  }
  const { notAfter } = signer.certificate;
  if (!isAuthority(signer)) throw unusable("found the certificate of a host, need that of a CA");
  if (!await belongTogether(signer)) throw unusable("found ca.key of another ca.pem, need its own");
  if (notAfter.getTime() <= clock.wallMs()) {
    throw unusable(`its CA has expired on ${notAfter.toISOString()}, need a valid one`);
  }
  return signer;
}

export function pemPath(directory: string, name: string): string {
  return posix.join(directory, `${name}.pem`);
}

export function keyPath(directory: string, name: string): string {
  return posix.join(directory, `${name}.key`);
}

/** Hex; its first bit is 0, for the number is signed, and the next 1, for it must not be 0. */
export function serialNumber(random: Random): string {
  const bytes = random.bytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return encodeHex(bytes);
}

/** Certificates have whole seconds. */
export function wholeSeconds(ms: number): number {
  return ms - ms % 1000;
}

function makeDirectory(files: Files, directory: string): void {
  try {
    files.makeDirectory(AT_CWD, directory, 0o700);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno !== "EEXIST") throw unwritable(directory, error);
  }
}
