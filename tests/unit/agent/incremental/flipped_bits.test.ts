// One flipped bit anywhere in the media of a backup, or one medium that is gone: verification finds
// it, and a restore names what it leaves out and brings back every other file as it was. So for media
// with plain frames, and for those whose frames are encrypted, which are verified without a key.
//
// The seed is printed; FLIP_SEED repeats a run, FLIPS makes it longer.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "bun:test";
import { FrameOpener, FrameSealer } from "../../../../agent/encryption/mod.ts";
import { currentRuntime } from "../../../../transport/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { picture, shell } from "../application/fixture.ts";
import { IncrementalBed } from "./incremental_bed.ts";
import { RandomTree } from "./random_tree.ts";

const runtime = await currentRuntime();
const FLIPS = Number(process.env["FLIPS"] ?? 8);
const SEED = Number(process.env["FLIP_SEED"] ?? Date.now() % 2 ** 31);
const TIMEOUT_MS = 600_000;

/** Checksum and path of each file, a line each. */
function sums(folder: string): string[] {
  return shell(folder, "find . -type f -print0 | sort -z | xargs -0r md5sum").split("\n");
}

function findings(bed: IncrementalBed, backup: string): number {
  using reader = bed.reader();
  const run = reader.verify(backup, { data: true, subset: null });
  for (;;) {
    const step = run.next();
    if (step.done === true) return step.value.findingCount;
  }
}

type Outcome = "whole" | "partly";

interface Keys {
  readonly sealer: FrameSealer;
  readonly opener: FrameOpener;
}

async function newKeys(bed: IncrementalBed): Promise<Keys> {
  const identity = await generateX25519Identity();
  const identityFile = `${bed.folder}/identity.txt`;
  writeFileSync(identityFile, identity, { mode: 0o600 });
  const aead = runtime.aead();
  const recipients = [await identityToRecipient(identity)];
  return {
    sealer: new FrameSealer({ recipients, aead, random: runtime.random }),
    opener: new FrameOpener({ files: runtime.files, identityFile, aead }),
  };
}

/** Whatever a restore brings is right. */
function outcomeOf(
  bed: IncrementalBed,
  { path, lost, warnings }: ReturnType<IncrementalBed["restore"]>,
  good: string,
): Outcome {
  if (lost.length === 0 && warnings.length === 0) {
    expect(picture(path)).toBe(good);
    return "whole";
  }
  const [wanted, found] = [sums(bed.source), sums(path)];
  expect(found.filter((line) => !wanted.includes(line))).toEqual([]);
  expect(wanted.length - found.length).toBeLessThanOrEqual(lost.length + warnings.length);
  return "partly";
}

function checkRestore(bed: IncrementalBed, backup: string, good: string): Outcome {
  using restored = bed.restore(backup);
  return outcomeOf(bed, restored, good);
}

function flip(path: string, sound: Uint8Array, at: number): void {
  const bad = Uint8Array.from(sound);
  bad[at] = (bad[at] ?? 0) ^ 1;
  writeFileSync(path, bad);
}

function noFrame(): never {
  throw new Error("a backup has a frame");
}

/** What makes a medium one that cannot be opened. */
const MEDIUM_DAMAGES: readonly [string, (path: string, sound: Uint8Array) => void][] = [
  ["seek table", (path, sound) => flip(path, sound, sound.length - 12)],
  ["whole medium, which is gone,", (path) => rmSync(path)],
];

describe("one flipped bit", () => {
  for (const kind of ["plain", "encrypted"] as const) {
    test(`in ${kind} media is found and restores nothing wrong, seed ${SEED}`, async () => {
      using bed = new IncrementalBed(8 * 1024);
      const { sealer, opener } = await newKeys(bed);
      const backUp = () => kind === "plain" ? bed.backUp() : bed.backUpSealed(sealer);
      const random = new SeededRandom(SEED);
      const tree = new RandomTree(bed.source, random);
      tree.grow(30);
      await backUp();
      tree.change(8);
      const { backup } = (await backUp()).backup;
      const good = picture(bed.source);
      const restore = async () => {
        using restored = await bed.restoreSealed(backup, opener);
        return outcomeOf(bed, restored, good);
      };
      const outcomes = new Set<Outcome>();
      for (const file of readdirSync(`${bed.vault}/media`)) {
        const path = `${bed.vault}/media/${file}`;
        const sound = readFileSync(path);
        using media = bed.media(file.replace(".tar.zst", ""));
        expect(media.label.encryption).toBe(kind === "plain" ? null : "age");
        const inFrame = (media.frames[0]?.mediaOffset ?? 0) + 30;
        for (let flip = 0; flip <= FLIPS; flip++) {
          const at = flip === 0 ? inFrame : random.below(sound.length);
          const bad = Uint8Array.from(sound);
          bad[at] = (bad[at] ?? 0) ^ (1 << random.below(8));
          writeFileSync(path, bad);
          const found = findings(bed, file.replace(".tar.zst", "")) > 0;
          expect([file, at, found]).toEqual([file, at, true]);
          outcomes.add(await restore());
        }
        writeFileSync(path, sound);
      }
      expect(await restore()).toBe("whole");
      expect(outcomes.has("partly")).toBe(true);
    }, TIMEOUT_MS);
  }

  for (const [what, damage] of MEDIUM_DAMAGES) {
    test(`in the ${what} loses at most the members of that medium`, () => {
      using bed = new IncrementalBed(8192);
      shell(
        bed.source,
        "mkdir d; seq 9000 > d/old; ln d/old d/linked; seq 9000 > d/other; touch e",
      );
      const first = bed.backUp({ settled: true }).backup.backup;
      shell(bed.source, "seq 8000 > d/new; seq 7000 > d/other; mkdir f; touch f/g");
      const second = bed.backUp({ settled: true }).backup.backup;
      for (const backup of [first, second]) {
        const path = `${bed.vault}/media/${backup}.tar.zst`;
        const sound = readFileSync(path);
        damage(path, sound);
        expect(findings(bed, backup)).toBeGreaterThan(0);
        expect(checkRestore(bed, second, "")).toBe("partly");
        using restored = bed.restore(second);
        const members = backup === first
          ? ["/d/linked", "/d/old", "/e"]
          : ["", "/d", "/d/new", "/d/other", "/f", "/f/g"];
        expect([...new Set(restored.lost)].sort()).toEqual(
          members.map((name) => bed.source + name),
        );
        writeFileSync(path, sound);
      }
    });
  }

  test("in the label or the trailer loses nothing", () => {
    using bed = new IncrementalBed(8192);
    shell(bed.source, "mkdir d; seq 9000 > d/old; ln d/old d/linked; touch e");
    const { backup } = bed.backUp().backup;
    const good = picture(bed.source);
    const path = `${bed.vault}/media/${backup}.tar.zst`;
    const sound = readFileSync(path);
    using media = bed.media(backup);
    const { mediaOffset, compressedBytes } = media.frames.at(-1) ?? noFrame();
    const index = mediaOffset + compressedBytes;
    const trailer = index + 8 + sound.readUInt32LE(index + 4);
    for (const at of [12, trailer + 20]) {
      flip(path, sound, at);
      expect(findings(bed, backup)).toBeGreaterThan(0);
      expect(checkRestore(bed, backup, good)).toBe("whole");
    }
  }, TIMEOUT_MS);

  test("in any frame loses what lies in it, members of several frames too", () => {
    using bed = new IncrementalBed(8192);
    shell(
      bed.source,
      `mkdir d; head -c 61000 /dev/urandom > d/large; ln d/large d/linked; touch e
      printf x > "d/$(printf %0200d 1)"; cp d/large f; head -c 3000 /dev/urandom > small
      mkdir -p "$(printf %0120d 2)/$(printf %0120d 3)"; setfattr -n user.x -v y small || true`,
    );
    const { backup } = bed.backUp().backup;
    const path = `${bed.vault}/media/${backup}.tar.zst`;
    const sound = readFileSync(path);
    using media = bed.media(backup);
    expect(media.frames.length).toBeGreaterThan(12);
    for (const { mediaOffset, compressedBytes } of media.frames) {
      const bad = Uint8Array.from(sound);
      const at = mediaOffset + (compressedBytes >> 1);
      bad[at] = (bad[at] ?? 0) ^ 1;
      writeFileSync(path, bad);
      expect(checkRestore(bed, backup, "")).toBe("partly");
    }
  }, TIMEOUT_MS);
});
