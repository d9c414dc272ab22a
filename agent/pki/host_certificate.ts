// A host's certificate and key. Its name is the agent's name, which peers check against their
// configurations; addresses are there for other tools.

import { AgentError } from "../../transport/ground/error.ts";
import { isName } from "../config/mod.ts";
import { type AddressName, addressName } from "./address_name.ts";
import {
  AUTHORITY,
  keyPath,
  openAuthority,
  pemPath,
  serialNumber,
  wholeSeconds,
} from "./authority.ts";
import { ADDRESSES_MAX, CLOCK_SKEW_MS, HOST_LIFE_MS } from "./limits.ts";
import { loadX509 } from "./load_x509.ts";
import { createPemFile, type PkiParts, refuseTaken, syncDirectory } from "./pem_file.ts";

export interface HostReport {
  readonly name: string;
  /** Absolute paths: what the host needs. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** RFC 3339, UTC. */
  readonly expires: string;
}

export interface HostRequest {
  readonly name: string;
  readonly addresses: readonly string[];
}

/**
 * Issues from the CA in `directory`.
 * @throws AgentError `usage` for a bad name or address, `failed` when there is no CA or the host
 *   has a certificate there already
 */
export async function issueCertificate(
  directory: string,
  request: HostRequest,
  parts: PkiParts,
): Promise<HostReport> {
  const { name } = request;
  const names = namesOf(request);
  const [cert, key] = [pemPath(directory, name), keyPath(directory, name)];
  const signer = await openAuthority(directory, parts);
  refuseTaken(parts.files, [cert, key]);
  const { makeHost } = await loadX509();
  const nowMs = wholeSeconds(parts.clock.wallMs());
  // It is of no use when its CA is gone.
  const lastMs = signer.certificate.notAfter.getTime();
  const notAfter = new Date(Math.min(nowMs + HOST_LIFE_MS, lastMs));
  const terms = {
    name,
    serial: serialNumber(parts.random),
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter,
    names,
  };
  const pem = await makeHost(terms, signer);
  createPemFile(parts, key, { text: pem.key, mode: 0o600 });
  createPemFile(parts, cert, { text: pem.certificate, mode: 0o644 });
  syncDirectory(parts.files, directory);
  return { name, ca: pemPath(directory, AUTHORITY), cert, key, expires: notAfter.toISOString() };
}

function namesOf({ name, addresses }: HostRequest): AddressName[] {
  if (!isName(name) || name === AUTHORITY) {
    const found = name === AUTHORITY
      ? "the name of the CA's own files"
      : "a name no agent can have";
    throw new AgentError(
      "usage",
      `Cannot issue for "${name}": found ${found}, need the \`name\` of an agent`,
      { hint: 'Use letters, digits, ".", "_" or "-", starting with a letter or digit.' },
    );
  }
  if (addresses.length > ADDRESSES_MAX) {
    const found = `found ${addresses.length} addresses, need at most ${ADDRESSES_MAX}`;
    throw new AgentError("usage", `Cannot issue for "${name}": ${found}`);
  }
  return [{ type: "dns", value: name }, ...addresses.map(addressName)];
}
