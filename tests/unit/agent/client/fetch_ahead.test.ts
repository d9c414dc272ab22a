// Fetching segments before they are asked for, against an archive that grows and loses files.

import { describe, expect, test } from "bun:test";
import { FetchAhead } from "../../../../agent/client/fetch_ahead.ts";
import { WAL_AHEAD_MAX } from "../../../../agent/client/limits.ts";
import type { GetAnswer, Log } from "../../../../agent/client/log_link.ts";
import { compressFrame } from "../../../../agent/media/mod.ts";
import { segmentName } from "../../../../agent/wal/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { seedsOf } from "../vault/random_retention.ts";

const SEGMENT_BYTES = 1024 * 1024;
const STEPS = 300;
/** Segments of the tests' log. */
const SEGMENTS = 12;

/** One frame for each file; its content does not matter, so they are told apart as objects. */
const FRAME = compressFrame(new Uint8Array(SEGMENT_BYTES), 1);

function nameOf(index: number, timeline = 1): string {
  return segmentName(timeline, index, SEGMENT_BYTES);
}

/** An archive of two clusters, and what it was asked for. */
class HandLog implements Pick<Log, "get"> {
  readonly kept = new Map<string, Uint8Array>();
  asked: string[] = [];
  refuses = false;

  add(system: string | null, name: string): Uint8Array {
    const frame = FRAME.slice();
    this.kept.set(`${system} ${name}`, frame);
    return frame;
  }

  get(system: string | null, name: string): Promise<GetAnswer> {
    this.asked.push(name);
    if (this.refuses) {
      return Promise.resolve({ type: "refused", error: { code: "failed", message: "a disk" } });
    }
    const frame = this.kept.get(`${system} ${name}`);
    return Promise.resolve(frame === undefined ? { type: "absent" } : { type: "file", frame });
  }
}

async function allSteps(ahead: FetchAhead): Promise<number> {
  let count = 0;
  while (await ahead.step()) count += 1;
  return count;
}

describe("FetchAhead", () => {
  test("has the segments of a recovery at hand from the third on", async () => {
    const log = new HandLog();
    for (let index = 0; index < SEGMENTS; index += 1) log.add("7", nameOf(index));
    const ahead = new FetchAhead(log);
    await ahead.get("7", nameOf(0));
    expect(await allSteps(ahead)).toBe(0);
    await ahead.get("7", nameOf(1));
    expect(await allSteps(ahead)).toBe(WAL_AHEAD_MAX);
    for (let index = 2; index < SEGMENTS; index += 1) {
      log.asked = [];
      expect((await ahead.get("7", nameOf(index))).type).toBe("file");
      expect(log.asked).toEqual([]);
      await allSteps(ahead);
    }
    // The end of the log is looked for each time.
    log.asked = [];
    expect(await ahead.get("7", nameOf(SEGMENTS))).toEqual({ type: "absent" });
    log.add("7", nameOf(SEGMENTS));
    expect((await ahead.get("7", nameOf(SEGMENTS))).type).toBe("file");
    expect(log.asked).toEqual([nameOf(SEGMENTS), nameOf(SEGMENTS)]);
  });

  test("holds nothing that nobody asks for any more", async () => {
    const log = new HandLog();
    for (let index = 0; index < SEGMENTS; index += 1) {
      log.add("7", nameOf(index));
      log.add("7", nameOf(index, 2));
    }
    const ahead = new FetchAhead(log);
    for (const index of [0, 1]) await ahead.get("7", nameOf(index));
    await allSteps(ahead);
    expect(ahead.holds).toBe(true);
    await ahead.get("7", nameOf(2, 2));
    expect(ahead.holds).toBe(false);
    for (const index of [3, 4]) await ahead.get("7", nameOf(index, 2));
    await allSteps(ahead);
    ahead.forget();
    expect([ahead.holds, await allSteps(ahead)]).toEqual([false, 0]);
  });

  for (const seed of seedsOf()) {
    test(`answers what the archive says, whatever is asked for, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const log = new HandLog();
      const ahead = new FetchAhead(log);
      const ever = new Map<string, Set<Uint8Array>>();
      const systems = ["7", "8", null] as const;
      let at = 0;
      for (let step = 0; step < STEPS; step += 1) {
        const system = random.chance(0.95) ? "7" : systems[random.below(systems.length)] ?? null;
        const index = random.below(SEGMENTS);
        const key = `${system} ${nameOf(index)}`;
        const act = random.below(8);
        if (act < 2) {
          const files = ever.get(key) ?? new Set();
          ever.set(key, files.add(log.add(system, nameOf(index))));
        } else if (act === 2) log.kept.delete(key);
        else if (act === 3) log.refuses = random.chance(0.3);
        else if (act < 6) await ahead.step();
        else {
          at = random.chance(0.8) ? (at + 1) % SEGMENTS : index;
          log.asked = [];
          const answer = await ahead.get(system, nameOf(at));
          const known = ever.get(`${system} ${nameOf(at)}`);
          if (answer.type === "file") expect(known?.has(answer.frame)).toBe(true);
          else {
            // Nothing but the archive itself says that a file is not there.
            expect(log.asked).toEqual([nameOf(at)]);
            expect(log.refuses || !log.kept.has(`${system} ${nameOf(at)}`)).toBe(true);
          }
        }
        log.asked = [];
      }
    });
  }
});
