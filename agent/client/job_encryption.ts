// The encrypting and the decrypting end of a client's job.

import { FrameOpener, FrameSealer } from "../encryption/mod.ts";
import type { EncryptionPart, WorkerSession } from "../job/mod.ts";

/** Null when the client has nobody to encrypt for. */
export function sealerOf(
  { runtime }: Pick<WorkerSession, "runtime">,
  { recipients }: EncryptionPart,
): FrameSealer | null {
  if (recipients.length === 0) return null;
  return new FrameSealer({ recipients, aead: runtime.aead(), random: runtime.random });
}

export function openerOf(
  { runtime }: Pick<WorkerSession, "runtime">,
  { identityFile }: EncryptionPart,
): FrameOpener {
  return new FrameOpener({ files: runtime.files, identityFile, aead: runtime.aead() });
}
