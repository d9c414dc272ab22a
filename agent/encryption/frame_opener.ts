// Decrypts the frames of a restore, on the client that writes the files. Plain frames pass, so that
// backups from before encryption restore as ever; the identities are read when the first encrypted
// frame comes, so that the file need not be there at any other time.

import { type Aead, AgentError, type Files } from "../../transport/mod.ts";
import { ageFileOf, isSealed } from "../media/mod.ts";
import type { RestoreRecord } from "../record.ts";
import { damaged, headerBytes, readFileKey } from "./age_header.ts";
import { openPayload } from "./age_payload.ts";
import { readIdentities } from "./read_keys.ts";

export interface FrameOpenerOptions {
  readonly files: Files;
  /** Null when the configuration names none. */
  readonly identityFile: string | null;
  readonly aead: Aead;
}

export class FrameOpener {
  readonly #options: FrameOpenerOptions;
  #identities: readonly string[] | null = null;

  constructor(options: FrameOpenerOptions) {
    this.#options = options;
  }

  /** @throws AgentError `auth` without a fitting identity, `damaged` */
  async open(record: RestoreRecord): Promise<RestoreRecord> {
    return isSealed(record.frame)
      ? { ...record, frame: await this.openFrame(record.frame) }
      : record;
  }

  /** What an encrypted frame holds. @throws AgentError `auth` | `damaged` */
  async openFrame(sealed: Uint8Array): Promise<Uint8Array> {
    const { aead } = this.#options;
    this.#identities ??= await this.#readIdentities();
    const ageFile = ageFileOf(sealed);
    const header = ageFile.subarray(0, headerBytes(ageFile));
    const fileKey = await readFileKey(header, this.#identities);
    const frame = openPayload(aead, fileKey, ageFile.subarray(header.length));
    if (frame === null) throw damaged("other bytes than were encrypted", undefined);
    return frame;
  }

  #readIdentities(): Promise<readonly string[]> {
    const { files, identityFile } = this.#options;
    if (identityFile !== null) return readIdentities(files, identityFile);
    throw new AgentError(
      "auth",
      "Cannot decrypt the backup: found no `encryption.identity_file`, need the identity of one " +
        "of the recipients that it was made for",
      {
        hint: "Set `encryption: { identity_file: … }` in the configuration of the client that " +
          "restores, and start its agent again.",
      },
    );
  }
}
