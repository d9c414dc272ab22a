// Encrypts the frames of a backup, on the client, as they are made. The client holds public keys
// only: what it has encrypted it cannot read again.

import { assert } from "../../transport/ground/assert.ts";
import type { Aead, Random } from "../../transport/mod.ts";
import { newSealedFrame } from "../media/mod.ts";
import type { DataRecord } from "../record.ts";
import { newHeader } from "./age_header.ts";
import { payloadBytes, sealPayload } from "./age_payload.ts";
import { NONCE_BYTES, SEALED_FRAME_TAR_BYTES } from "./limits.ts";

export interface FrameSealerOptions {
  /** One or more, checked by `readRecipients`. */
  readonly recipients: readonly string[];
  readonly aead: Aead;
  readonly random: Random;
}

export class FrameSealer {
  readonly #options: FrameSealerOptions;
  /** Tar bytes that the frames should have. */
  readonly frameBytes = SEALED_FRAME_TAR_BYTES;

  constructor(options: FrameSealerOptions) {
    assert(options.recipients.length > 0, "a backup is encrypted for somebody");
    this.#options = options;
  }

  /** The same record with its frame encrypted; its index rows stay readable. */
  async seal(record: DataRecord): Promise<DataRecord> {
    return { ...record, frame: await this.sealFrame(record.frame) };
  }

  /** @param roomBytes bytes before the encrypted frame, for who puts something there */
  async sealFrame(content: Uint8Array, roomBytes = 0): Promise<Uint8Array<ArrayBuffer>> {
    const { recipients, aead, random } = this.#options;
    const { header, fileKey } = await newHeader(recipients);
    const ageBytes = header.length + payloadBytes(content.length);
    const { frame, ageFile } = newSealedFrame(ageBytes, roomBytes);
    ageFile.set(header);
    const keys = { fileKey, nonce: random.bytes(NONCE_BYTES) };
    sealPayload(aead, keys, content, ageFile.subarray(header.length));
    return frame;
  }
}
