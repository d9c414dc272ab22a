// ChaCha20-Poly1305 in JavaScript, for systems that offer nothing faster (aead.ts).

import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import type { Aead } from "./aead.ts";

export function portableAead(): Aead {
  return {
    engine: "portable",
    seal({ key, nonce }, plain, into) {
      into.set(chacha20poly1305(key, nonce).encrypt(plain));
    },
    open({ key, nonce }, sealed, into) {
      try {
        into.set(chacha20poly1305(key, nonce).decrypt(sealed));
        return true;
      } catch {
        return false;
      }
    },
  };
}
