// The header of an age file, by the `age-encryption` library: who can read the file, and its key.
// Nothing else names the library, whose own payload code is too slow for backups (0.05 GB/s).
//
// It is loaded when it is first needed: that takes 80 ms, which most commands need not wait for.

import { assert } from "../../transport/ground/assert.ts";
import { AgentError } from "../../transport/mod.ts";
import { MAX_HEADER_BYTES, NONCE_BYTES, TAG_BYTES } from "./limits.ts";

const library = () => import("age-encryption");

/** What the library says when the key is none of ours (0.3.1; its version is pinned). */
const NO_MATCH = "no identity matched any of the file's recipients";

const NEWLINE = 0x0a;
const LAST_LINE = new TextEncoder().encode("--- ");

/** A header for one file, and the key in it, which serves that file alone. */
export interface NewHeader {
  readonly header: Uint8Array;
  readonly fileKey: Uint8Array;
}

/** Makes a key that the holders of the recipients' identities can read, and nobody else. */
export async function newHeader(recipients: readonly string[]): Promise<NewHeader> {
  const { Encrypter } = await library();
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  let fileKey: Uint8Array | null = null;
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = key;
      return [];
    },
  });
  const emptyFile = await encrypter.encrypt(new Uint8Array(0));
  assert(fileKey !== null, "the library wraps the key for each recipient");
  return { header: emptyFile.subarray(0, emptyFile.length - NONCE_BYTES - TAG_BYTES), fileKey };
}

/**
 * The file key in a header.
 * @throws AgentError `auth` when it is for none of the identities, `damaged`
 */
export async function readFileKey(
  header: Uint8Array,
  identities: readonly string[],
): Promise<Uint8Array> {
  const { Decrypter } = await library();
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decryptHeader(header);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    if (found === NO_MATCH) throw noMatch(cause);
    throw damaged(found, cause);
  }
}

/** Bytes of the header at the start of an age file. @throws AgentError `damaged` */
export function headerBytes(ageFile: Uint8Array): number {
  const head = ageFile.subarray(0, MAX_HEADER_BYTES);
  for (let line = 0; line < head.length;) {
    const end = head.indexOf(NEWLINE, line);
    if (end < 0) break;
    if (LAST_LINE.every((byte, at) => head[line + at] === byte)) return end + 1;
    line = end + 1;
  }
  throw damaged("no end of its header", undefined);
}

/** Is this the public key of somebody who can be encrypted for? */
export async function isRecipient(text: string): Promise<boolean> {
  const { Encrypter } = await library();
  return succeeds(() => new Encrypter().addRecipient(text));
}

/** Is this a secret key? */
export async function isIdentity(text: string): Promise<boolean> {
  const { Decrypter } = await library();
  return succeeds(() => new Decrypter().addIdentity(text));
}

function succeeds(body: () => void): boolean {
  try {
    body();
    return true;
  } catch {
    return false;
  }
}

function noMatch(cause: unknown): AgentError {
  return new AgentError(
    "auth",
    "Cannot decrypt the backup: found no identity for it, need that of one of the recipients " +
      "that it was made for",
    {
      hint: "Add the identity of that time to the client's `encryption.identity_file`.",
      cause,
    },
  );
}

/** What is wrong with an age file as a whole. */
export function damaged(found: string, cause: unknown): AgentError {
  const message = `Cannot decrypt a frame of the backup: found ${found}, need the bytes as made`;
  return new AgentError("damaged", message, {
    hint: "Run `agent verify --data` to find the damaged media.",
    cause,
  });
}
