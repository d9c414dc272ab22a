// What real tools leave on a medium is found, refused, and removed.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { AgentError } from "../../../../transport/ground/error.ts";
import { readSignatures, refuseSignatures, wipeSignatures } from "../../../../transport/raw/mod.ts";
import { run } from "./loop_device.ts";
import { openRaw, RawFiles } from "./raw_files.ts";

const SIZE_BYTES = 128 * 1024 * 1024;

function isThere(tool: string): boolean {
  return spawnSync(tool, ["-V"]).error === undefined;
}

/** Where the tool is on the machine; the others are covered by marks made by hand. */
const TOOLS: readonly [what: string, command: readonly [string, ...string[]]][] = [
  ["an ext2 file system", ["mkfs.ext2", "-q", "-F"]],
  ["an ext3 file system", ["mkfs.ext3", "-q", "-F"]],
  ["an ext4 file system", ["mkfs.ext4", "-q", "-F"]],
  ["swap space", ["mkswap"]],
  ["an XFS file system", ["mkfs.xfs", "-q", "-f"]],
  ["a btrfs file system", ["mkfs.btrfs", "-q", "-f"]],
];

describe("a medium that carries data", () => {
  let files: RawFiles;
  beforeEach(() => {
    files = new RawFiles();
  });
  afterEach(() => files[Symbol.dispose]());

  for (const [what, [tool, ...args]] of TOOLS.filter(([, [tool]]) => isThere(tool))) {
    test(`refuseSignatures() throws \`busy\` after ${tool}`, async () => {
      const path = files.make("lun", SIZE_BYTES);
      run(tool, ...args, path);
      const volume = await openRaw(path);
      const found = await readSignatures(volume);
      volume.close();
      expect(found.map((one) => one.what)).toEqual([what]);
      let thrown: unknown = null;
      try {
        refuseSignatures(volume, found);
      } catch (error) {
        thrown = error;
      }
      if (!(thrown instanceof AgentError)) throw new Error(`found ${thrown}, need an AgentError`);
      expect(thrown.code).toBe("busy");
      expect(thrown.message).toContain(`Cannot format volume "${path}": found ${what} at byte`);
      expect(thrown.hint).toContain("--force");
    });
  }

  test("refuseSignatures() lets an empty medium pass", async () => {
    const volume = await openRaw(files.make("lun", SIZE_BYTES));
    refuseSignatures(volume, await readSignatures(volume));
    volume.close();
  });

  test("wipeSignatures() removes what was found before and is still there, and nothing else", async () => {
    const path = files.make("lun", SIZE_BYTES + 512);
    const places: readonly [number, string][] = [
      [0, "XFSB"],
      [64 * 1024 + 64, "_BHRfS_M"],
      [SIZE_BYTES, "EFI PART"],
    ];
    const descriptor = openSync(path, "r+");
    const write = (at: number, text: string) => {
      writeSync(descriptor, new TextEncoder().encode(text), 0, text.length, at);
    };
    for (const [at, text] of places) write(at, text);
    const volume = await openRaw(path);
    const before = await readSignatures(volume);
    expect(before.length).toBe(3);
    write(8192, "OCFSV2");
    closeSync(descriptor);
    await wipeSignatures(volume, before);
    const left = (await readSignatures(volume)).map(({ what }) => what).sort();
    volume.close();
    // The first block is the format's own; what came later is not ours to remove.
    expect(left).toEqual(["an OCFS2 file system", "an XFS file system"]);
  });
});
