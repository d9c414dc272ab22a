// Encrypted files of the archive: what the server reads of them, and what stock tools do.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";
import { openSealedFile, readSealedHead, sealFile, WalArchive } from "../../../../agent/wal/mod.ts";
import { withFolder } from "../media/media_fixture.ts";
import { runtime } from "../../transport/flow/flow_bed.ts";
import { NAME, SEGMENT_BYTES, SYSTEM } from "./wal_fixture.ts";

const path = (name: string) => fileURLToPath(import.meta.resolve(`../../../golden/${name}`));
const GOLDEN = path("wal/encrypted_1.zst");
const IDENTITY = path("media/format_3_identity.txt");
const TEXT = "START WAL LOCATION: 0/2000028\n";

/** The golden file, of which the head says another length. */
function sealed(contentBytes: number): Uint8Array {
  const file = Uint8Array.from(readFileSync(GOLDEN));
  sealFile(file, { contentBytes, digest: new Uint8Array(32) });
  return file;
}

describe("an encrypted file of the archive", () => {
  test("is what it was when the format was frozen", () => {
    const digest = Uint8Array.from({ length: 32 }, (_, index) => index);
    const head = { contentBytes: TEXT.length, digest };
    const golden = new Uint8Array(readFileSync(GOLDEN));
    expect(openSealedFile(golden)).toMatchObject(head);
    expect(readSealedHead(golden.subarray(0, 56))).toEqual(head);
    const again = golden.slice().fill(0, 0, 56);
    sealFile(again, head);
    expect(Buffer.compare(again, golden)).toBe(0);
    expect(() => readSealedHead(golden.subarray(0, 55))).toThrow("size 48, need 47");
  });

  test("is read by tail, age and zstd", () => {
    const script = 'set -o pipefail; tail -c +65 "$1" | age -d -i "$2" | zstd -dc';
    const words = ["-c", script, "bash", GOLDEN, IDENTITY];
    const { status, stdout } = spawnSync("bash", words, { encoding: "utf8" });
    expect([status, stdout]).toEqual([0, TEXT]);
  });

  test("is kept under a name of its kind and length only", async () => {
    const good = `${NAME}.00000028.backup`;
    const wrong = [
      [NAME, SEGMENT_BYTES - 1, "mismatch"],
      [`${NAME}.partial`, SEGMENT_BYTES * 3, "mismatch"],
      ["0000000100000001FFFFFFFF", SEGMENT_BYTES, "mismatch"],
      ["00000002.history", 100, "damaged"],
      [good, 1024 * 1024, "damaged"],
    ] as const;
    await withFolder(async (directory) => {
      const place = { files: runtime.files, directory, client: "web01", database: "pg" };
      const archive = WalArchive.open({ ...place, system: SYSTEM });
      for (const [name, bytes, code] of wrong) {
        const stored = archive.store(name, { compressed: sealed(bytes), bytes });
        await expect(stored).rejects.toMatchObject({ code });
      }
      const file = { compressed: sealed(SEGMENT_BYTES), bytes: SEGMENT_BYTES };
      expect(await archive.store(NAME, file)).toBe("stored");
      await expect(archive.store(good, { ...file, bytes: 7 })).rejects.toMatchObject({
        code: "damaged",
      });
    });
  });
});
