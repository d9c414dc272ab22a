// The key files of age: a key per line, "#" begins a comment line. Recipients are public; the file
// of identities must not be open to everybody.

import { AgentError, type Files, readSmallFile, SystemError } from "../../transport/mod.ts";
import { type EncryptionConfig, MAX_RECIPIENTS } from "../config/mod.ts";
import { refuseOpenFile } from "../refuse_open_file.ts";
import { isIdentity, isRecipient } from "./age_header.ts";
import { MAX_IDENTITIES, MAX_KEY_FILE_BYTES } from "./limits.ts";

/**
 * Everybody that a client encrypts for: those of its configuration and those in its file.
 * @throws AgentError `usage`
 */
export async function readRecipients(
  files: Files,
  from: Omit<EncryptionConfig, "identityFile">,
): Promise<readonly string[]> {
  for (const recipient of from.recipients) {
    if (await isRecipient(recipient)) continue;
    throw new AgentError(
      "usage",
      `Cannot encrypt for \`encryption.recipients\` "${recipient}": found a mistyped key, need ` +
        "one of age's",
      { hint: "Copy the public key that `age-keygen -y IDENTITY_FILE` prints." },
    );
  }
  const path = from.recipientsFile;
  if (path === null) return from.recipients;
  const what = `\`encryption.recipients_file\` "${path}"`;
  const lines = await readKeys(files, path, {
    what,
    code: "usage",
    wanted: "public keys of age (age1…)",
    hint:
      "Write a public key of age (age1…) on each line; `age-keygen -y IDENTITY_FILE` prints it.",
    isKey: isRecipient,
  });
  const recipients = [...from.recipients, ...lines];
  if (recipients.length <= MAX_RECIPIENTS) return recipients;
  throw new AgentError(
    "usage",
    `Cannot encrypt for ${what}: found ${recipients.length} recipients, need at most ` +
      `${MAX_RECIPIENTS}`,
    { hint: "Name fewer recipients: each adds its part to every frame." },
  );
}

/** The identities of a file. @throws AgentError `auth` */
export async function readIdentities(files: Files, path: string): Promise<readonly string[]> {
  const what = `identity file "${path}"`;
  const lines = await readKeys(files, path, {
    what,
    code: "auth",
    wanted: "identities of age (AGE-SECRET-KEY-1…)",
    hint: "Put the file that `age-keygen` made there, readable by the agent's user; decrypt it " +
      "first if it has a passphrase.",
    isKey: isIdentity,
    check: () => refuseOpenFile(files, path, { what, renew: "make a new identity", code: "auth" }),
  });
  if (lines.length <= MAX_IDENTITIES) return lines;
  throw new AgentError(
    "auth",
    `Cannot use ${what}: found ${lines.length} identities, need at most ${MAX_IDENTITIES}`,
    { hint: "Leave the identities in the file that the backups of this client need." },
  );
}

interface KeyFile {
  /** Stands in messages. */
  readonly what: string;
  readonly code: "usage" | "auth";
  readonly wanted: string;
  readonly hint: string;
  readonly isKey: (line: string) => Promise<boolean>;
  /** Looks at the file before it is read. */
  readonly check?: () => void;
}

async function readKeys(files: Files, path: string, file: KeyFile): Promise<readonly string[]> {
  const refusal = (found: string, cause?: unknown) =>
    new AgentError(file.code, `Cannot use ${file.what}: ${found}, need ${file.wanted}`, {
      hint: file.hint,
      cause,
    });
  let bytes: Uint8Array | null;
  try {
    file.check?.();
    bytes = readSmallFile(files, path, MAX_KEY_FILE_BYTES);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw refusal(error.errno === "ENOENT" ? "found no such file" : `found ${error.errno}`, error);
  }
  if (bytes === null) throw refusal(`found more than ${MAX_KEY_FILE_BYTES} bytes`);
  const keys: string[] = [];
  for (const [index, text] of new TextDecoder().decode(bytes).split("\n").entries()) {
    const line = text.trim();
    if (line === "" || line.startsWith("#")) continue;
    // The line itself may be a secret: it is not shown.
    if (!await file.isKey(line)) throw refusal(`found something else in line ${index + 1}`);
    keys.push(line);
  }
  if (keys.length === 0) throw refusal("found none");
  return keys;
}
