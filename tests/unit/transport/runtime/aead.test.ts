// Every engine that works here against the vector of RFC 8439, against each other, and against
// bytes that were changed.

import { describe, expect, test } from "bun:test";
import { decodeHex } from "../../../../transport/ground/hex.ts";
import { type Aead, AEAD_TAG_BYTES, currentRuntime } from "../../../../transport/runtime/mod.ts";
import { nodeAead } from "../../../../transport/runtime/node_aead.ts";
import { openAead } from "../../../../transport/runtime/open_aead.ts";
import { portableAead } from "../../../../transport/runtime/portable_aead.ts";

const runtime = await currentRuntime();
const portable = portableAead();
const engines = [runtime.aead(), nodeAead(), portable].filter((one): one is Aead => one !== null);

const KEY = decodeHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const NONCE = decodeHex("070000004041424344454647");

function seal(aead: Aead, plain: Uint8Array): Uint8Array {
  const into = new Uint8Array(plain.length + AEAD_TAG_BYTES);
  aead.seal({ key: KEY, nonce: NONCE }, plain, into);
  return into;
}

/** @returns null when the tag is wrong */
function open(aead: Aead, sealed: Uint8Array): Uint8Array | null {
  const into = new Uint8Array(sealed.length - AEAD_TAG_BYTES);
  return aead.open({ key: KEY, nonce: NONCE }, sealed, into) ? into : null;
}

describe("openAead()", () => {
  test("takes OpenSSL's where there is one", () => {
    expect(runtime.aead().engine).toBe("libcrypto");
    expect(runtime.aead()).toBe(runtime.aead());
  });

  test("takes what the runtime has where there is no OpenSSL", () => {
    expect(openAead(() => null).engine).toBe(runtime.name === "deno" ? "node" : "portable");
  });
});

for (const aead of engines) {
  describe(`Aead ${aead.engine}`, () => {
    test("seals as RFC 8439, 2.4.2 says", () => {
      // Its tag is one with additional data, so that the ciphertext alone is compared.
      const plain = new TextEncoder().encode("Ladies and Gentlemen of the class of '99");
      expect(seal(aead, plain).toHex().slice(0, 32)).toBe("d31a8d34648e60db7b86afbc53ef7ec2");
    });

    test("seal() and open() agree with the portable engine for all sizes around a block", () => {
      for (const size of [0, 1, 15, 16, 17, 63, 64, 65, 65_535, 65_536]) {
        const plain = Uint8Array.from({ length: size }, (_, at) => at * 7);
        const sealed = seal(aead, plain);
        expect(sealed.toHex()).toBe(seal(portable, plain).toHex());
        expect(open(aead, sealed)?.toHex()).toBe(plain.toHex());
      }
    });

    test("open() refuses a changed bit in ciphertext and in tag, and works again after it", () => {
      const plain = new Uint8Array(100).fill(5);
      const sealed = seal(aead, plain);
      for (const at of [0, 99, 100, 115]) {
        const changed = sealed.slice();
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        expect(open(aead, changed)).toBeNull();
      }
      expect(open(aead, sealed)).toEqual(plain);
    });
  });
}
