// Decoders that need the runtime: its cipher, or its files. Each input of the latter becomes a file
// in `folder`.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readToken } from "../../../agent/control/mod.ts";
import { openPayload, payloadBytes, sealPayload } from "../../../agent/encryption/age_payload.ts";
import { revocations } from "../../../agent/revocations.ts";
import { AEAD_TAG_BYTES, type Runtime } from "../../../transport/runtime/mod.ts";
import { RECORD_HEAD_BYTES } from "../../../transport/sealed/limits.ts";
import { RecordOpener, RecordSealer } from "../../../transport/sealed/record_seal.ts";
import type { Decoder } from "./decoder_table.ts";

const KEY = new Uint8Array(32).fill(7);
/** Of a record without content. */
const SEALED_BYTES = RECORD_HEAD_BYTES + AEAD_TAG_BYTES;
const CERTIFICATE = { serial: "0A1B", names: ["web01"] };
const bytesOf = (text: string) => new TextEncoder().encode(text);

export function runtimeDecoders(
  { aead: openAead, files }: Pick<Runtime, "aead" | "files">,
  folder: string,
): readonly Decoder[] {
  const aead = openAead();
  const path = join(folder, "text");
  /** A file that only its owner reads. */
  const inFile = (bytes: Uint8Array) => writeFileSync(path, bytes, { mode: 0o600 });
  return [
    {
      name: "age payload",
      seeds: [0, 1, 65_536, 65_537].map((count) => {
        const content = new Uint8Array(count).fill(9);
        const into = new Uint8Array(payloadBytes(count));
        sealPayload(aead, { fileKey: KEY, nonce: KEY.subarray(0, 16) }, content, into);
        return into;
      }),
      decode: (bytes) => openPayload(aead, KEY, bytes),
    },
    {
      name: "sealed record",
      seeds: [0, 1, 4096].map((count) => {
        const into = new Uint8Array(count + 64);
        const bytes = new RecordSealer(aead, KEY).seal(new Uint8Array(count).fill(9), into);
        return into.slice(0, bytes);
      }),
      decode: (bytes) => {
        // The connection reads so many bytes, or the stream ended before.
        if (bytes.length < RECORD_HEAD_BYTES) return null;
        const opener = new RecordOpener(aead, KEY);
        const plain = opener.plainBytes(bytes);
        const sealed = bytes.subarray(RECORD_HEAD_BYTES, (plain ?? 0) + SEALED_BYTES);
        if (plain === null || sealed.length < plain + AEAD_TAG_BYTES) return null;
        const into = new Uint8Array(plain);
        return opener.open(sealed, into) ? into : null;
      },
    },
    {
      name: "revocation list",
      seeds: [bytesOf("# stolen\n0a:1b # web01\nweb02\n")],
      decode: (bytes) => {
        inFile(bytes);
        return revocations(files, path)(CERTIFICATE);
      },
    },
    {
      name: "token file",
      seeds: [bytesOf("0123456789abcdef\n")],
      decode: (bytes) => {
        inFile(bytes);
        return readToken(files, path);
      },
    },
  ];
}
