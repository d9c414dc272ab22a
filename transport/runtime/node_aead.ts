// ChaCha20-Poly1305 by node:crypto, where that has it (aead.ts).

import { createCipheriv, createDecipheriv, getCiphers } from "node:crypto";
import { type Aead, AEAD_TAG_BYTES } from "./aead.ts";

const CIPHER = "chacha20-poly1305";
const OPTIONS = { authTagLength: AEAD_TAG_BYTES } as const;

/** @returns null where the runtime does not have the cipher */
export function nodeAead(): Aead | null {
  if (!getCiphers().includes(CIPHER)) return null;
  return {
    engine: "node",
    seal({ key, nonce }, plain, into) {
      const cipher = createCipheriv(CIPHER, key, nonce, OPTIONS);
      into.set(cipher.update(plain));
      cipher.final();
      into.set(cipher.getAuthTag(), plain.length);
    },
    open({ key, nonce }, sealed, into) {
      const end = sealed.length - AEAD_TAG_BYTES;
      const decipher = createDecipheriv(CIPHER, key, nonce, OPTIONS);
      decipher.setAuthTag(sealed.subarray(end));
      into.set(decipher.update(sealed.subarray(0, end)));
      try {
        decipher.final();
        return true;
      } catch {
        return false;
      }
    },
  };
}
