// libcrypto by Deno.dlopen.

import type { Aead } from "./aead.ts";
import { LIBCRYPTO_NAME, libcryptoAead } from "./libcrypto_aead.ts";

const SYMBOLS = {
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_chacha20_poly1305: { parameters: [], result: "pointer" },
  EVP_CipherInit_ex: {
    parameters: ["pointer", "pointer", "pointer", "buffer", "buffer", "i32"],
    result: "i32",
  },
  EVP_CipherUpdate: { parameters: ["pointer", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  EVP_CipherFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "buffer"], result: "i32" },
} as const;

/** @returns null where there is no OpenSSL 3 with the cipher */
export function openDenoLibcrypto(): Aead | null {
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen(LIBCRYPTO_NAME, SYMBOLS);
  } catch {
    return null;
  }
  const c = library.symbols;
  const context = c.EVP_CIPHER_CTX_new();
  const cipher = c.EVP_chacha20_poly1305();
  if (context === null || cipher === null) return null;
  return libcryptoAead({
    init: (key, nonce, encrypt) => c.EVP_CipherInit_ex(context, cipher, null, key, nonce, encrypt),
    update: (into, length, from, count) => c.EVP_CipherUpdate(context, into, length, from, count),
    final: (into, length) => c.EVP_CipherFinal_ex(context, into, length),
    control: (command, count, bytes) => c.EVP_CIPHER_CTX_ctrl(context, command, count, bytes),
  });
}
