// Which engine encrypts here (aead.ts has their speeds).

import type { Aead } from "./aead.ts";
import { nodeAead } from "./node_aead.ts";
import { portableAead } from "./portable_aead.ts";

/** @param libcrypto opens the system's OpenSSL, or gives null where there is none */
export function openAead(libcrypto: () => Aead | null): Aead {
  return libcrypto() ?? nodeAead() ?? portableAead();
}
