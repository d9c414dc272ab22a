// libcrypto by bun:ffi. Only Bun loads this file, since no other runtime can resolve "bun:ffi".

import { dlopen, ptr } from "bun:ffi";
import type { Aead } from "./aead.ts";
import { LIBCRYPTO_NAME, libcryptoAead } from "./libcrypto_aead.ts";

const SYMBOLS = {
  EVP_CIPHER_CTX_new: { args: [], returns: "ptr" },
  EVP_chacha20_poly1305: { args: [], returns: "ptr" },
  EVP_CipherInit_ex: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "i32"], returns: "i32" },
  EVP_CipherUpdate: { args: ["ptr", "ptr", "ptr", "ptr", "i32"], returns: "i32" },
  EVP_CipherFinal_ex: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
  EVP_CIPHER_CTX_ctrl: { args: ["ptr", "i32", "i32", "ptr"], returns: "i32" },
} as const;

/** @returns null where there is no OpenSSL 3 with the cipher */
export function openBunLibcrypto(): Aead | null {
  const c = openSymbols();
  const context = c?.EVP_CIPHER_CTX_new() ?? null;
  const cipher = c?.EVP_chacha20_poly1305() ?? null;
  if (c === null || context === null || cipher === null) return null;
  return libcryptoAead({
    init: (key, nonce, encrypt) =>
      c.EVP_CipherInit_ex(context, cipher, null, ptr(key), ptr(nonce), encrypt),
    update: (into, length, from, count) =>
      c.EVP_CipherUpdate(context, ptr(into), ptr(length), ptr(from), count),
    final: (into, length) => c.EVP_CipherFinal_ex(context, ptr(into), ptr(length)),
    control: (command, count, bytes) => c.EVP_CIPHER_CTX_ctrl(context, command, count, ptr(bytes)),
  });
}

function openSymbols() {
  try {
    return dlopen(LIBCRYPTO_NAME, SYMBOLS).symbols;
  } catch {
    return null;
  }
}
