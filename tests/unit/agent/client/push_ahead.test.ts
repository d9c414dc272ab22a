// Carrying files of a log before PostgreSQL asks for them: a server that writes, archives in order
// and uses files again, commands that see what they see, and an archive that may refuse.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WAL_AHEAD_MAX } from "../../../../agent/client/limits.ts";
import type { Log, PackedFile, PushAnswer } from "../../../../agent/client/log_link.ts";
import { PushAhead } from "../../../../agent/client/push_ahead.ts";
import { decompressFrame } from "../../../../agent/media/mod.ts";
import { segmentName } from "../../../../agent/wal/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { runtime } from "../../transport/flow/flow_bed.ts";
import { seedsOf } from "../vault/random_retention.ts";
import { makeSegment, SEGMENT_BYTES, SYSTEM } from "../wal/wal_fixture.ts";

const STEPS = 200;
/** Bytes of a segment's file here: its header, and a little. */
const FILE_BYTES = 4096;

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "push-ahead-"));
  mkdirSync(join(directory, "archive_status"));
});

afterEach(() => rmSync(directory, { recursive: true }));

function nameOf(index: number): string {
  return segmentName(1, index, SEGMENT_BYTES);
}

/** PostgreSQL writes a segment, and wants it archived. */
function write(index: number, fill: number): Uint8Array {
  const address = BigInt(index) * BigInt(SEGMENT_BYTES);
  const content = makeSegment({ address, fill, bytes: FILE_BYTES });
  writeFileSync(join(directory, nameOf(index)), content);
  writeFileSync(join(directory, "archive_status", `${nameOf(index)}.ready`), "");
  return content;
}

function digestOf(content: Uint8Array) {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { bytes: content.length, sha256 };
}

/** An archive: a name never gets another content. */
class HandLog implements Pick<Log, "push"> {
  readonly kept = new Map<string, Uint8Array>();
  pushed = 0;
  refuses = false;

  push({ name, frame, bytes }: PackedFile): Promise<PushAnswer> {
    this.pushed += 1;
    const content = new Uint8Array(decompressFrame(frame, bytes));
    const kept = this.kept.get(name);
    const same = kept !== undefined && Buffer.compare(kept, content) === 0;
    if (this.refuses || (kept !== undefined && !same)) {
      return Promise.resolve({ type: "refused", error: { code: "mismatch", message: "other" } });
    }
    this.kept.set(name, content);
    return Promise.resolve({ type: same ? "same" : "stored" });
  }
}

function bed() {
  const log = new HandLog();
  const ahead = new PushAhead({ files: runtime.files, log, level: 1 });
  const file = { directory, system: SYSTEM, known: SYSTEM };
  const push = (index: number, content: Uint8Array) =>
    ahead.push({ ...file, name: nameOf(index), ...digestOf(content) });
  return { log, ahead, file, push };
}

async function allSteps(ahead: PushAhead): Promise<void> {
  while (await ahead.step());
}

describe("PushAhead", () => {
  test("carries what is ready after the first push, a few files and each once", async () => {
    const { log, ahead, push } = bed();
    const written = Array.from({ length: 8 }, (_, index) => write(index, index + 1));
    expect(await ahead.step()).toBe(false);
    for (const [index, content] of written.entries()) {
      expect(["stored", "same"]).toContain((await push(index, content)).type);
      await allSteps(ahead);
      expect(log.kept.size).toBeLessThanOrEqual(index + 1 + WAL_AHEAD_MAX);
      rmSync(join(directory, "archive_status", `${nameOf(index)}.ready`));
    }
    expect([log.kept.size, log.pushed]).toEqual([written.length, written.length]);
  });

  test("believes no name: other bytes are carried anew, or are unlike", async () => {
    const { log, ahead, push } = bed();
    const first = write(1, 1);
    const carried = write(2, 2);
    await push(1, first);
    await allSteps(ahead);
    expect(log.kept.get(nameOf(2))).toEqual(carried);
    const other = makeSegment({ fill: 9, bytes: FILE_BYTES });
    expect((await push(2, other)).type).toBe("unlike");
    // What was carried is forgotten then, and proved again by the server.
    expect((await push(2, carried)).type).toBe("same");
    const changed = write(2, 3);
    expect((await push(2, changed)).type).toBe("refused");
    expect(log.kept.get(nameOf(2))).toEqual(carried);
  });

  test("takes a file of another cluster for none of this one, and what is not there", async () => {
    const { ahead, file, push } = bed();
    const content = write(1, 1);
    const wanted = { ...file, name: nameOf(1), ...digestOf(content) };
    const strange = await ahead.push({ ...wanted, known: "7" });
    expect(strange).toMatchObject({ type: "refused", error: { code: "mismatch" } });
    expect((await push(3, content)).type).toBe("unlike");
    expect((await ahead.push({ ...wanted, directory: `${directory}/none` })).type).toBe("unlike");
    ahead.forget();
    expect(ahead.holds).toBe(false);
  });

  test("shows a server no file that is not its own, and waits for no pipe", async () => {
    const { log, ahead, push } = bed();
    const secret = new TextEncoder().encode("the secret of another");
    writeFileSync(join(directory, "secret"), secret);
    symlinkSync(join(directory, "secret"), join(directory, "00000009.history"));
    execFileSync("mkfifo", [join(directory, nameOf(9))]);
    for (const name of ["00000009.history", nameOf(9)]) {
      writeFileSync(join(directory, "archive_status", `${name}.ready`), "");
    }
    await push(1, write(1, 1));
    await allSteps(ahead);
    expect([...log.kept.keys()]).toEqual([nameOf(1)]);
    expect((await push(9, secret)).type).toBe("unlike");
  });

  for (const seed of seedsOf()) {
    test(`says "kept" only of bytes that the archive has, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const { log, ahead, push } = bed();
      let [written, archived] = [1, 1];
      for (let step = 0; step < STEPS; step += 1) {
        const act = random.below(10);
        if (act < 3) write(written++, random.below(256));
        else if (act < 6) await ahead.step();
        else if (act === 6) log.refuses = random.chance(0.3);
        else if (act === 7 && random.chance(0.2)) ahead.forget();
        else if (archived < written) {
          const path = join(directory, nameOf(archived));
          // A command of another cluster, or one whose disk lies: it sees other bytes.
          if (random.chance(0.1)) {
            const lie = makeSegment({ fill: 44, bytes: FILE_BYTES + 1 });
            expect((await push(archived, lie)).type).toBe("unlike");
          }
          // Before it is archived a file may change only by a fault, which must not go by.
          if (random.chance(0.05)) write(archived, random.below(256));
          const content = new Uint8Array(readFileSync(path));
          const answer = await push(archived, content);
          expect(answer.type).not.toBe("unlike");
          if (answer.type === "refused") {
            // It stands in the way of a fault for good: the archive has other bytes.
            if (log.kept.has(nameOf(archived)) && !log.refuses) {
              writeFileSync(path, log.kept.get(nameOf(archived)) ?? "");
            }
            continue;
          }
          expect(log.kept.get(nameOf(archived))).toEqual(content);
          rmSync(join(directory, "archive_status", `${nameOf(archived)}.ready`));
          // PostgreSQL uses the file again: other bytes under another name.
          if (random.chance(0.5)) renameSync(path, join(directory, nameOf(1000 + archived)));
          archived += 1;
        }
        expect(log.kept.size).toBeLessThanOrEqual(archived + WAL_AHEAD_MAX);
      }
      expect(archived).toBeGreaterThan(1);
    });
  }
});
