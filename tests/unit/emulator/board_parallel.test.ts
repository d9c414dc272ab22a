// One access at a time per memory board, and different boards in parallel: two processes, by the
// counters of holds and waits. Disk directors that take over when a process is killed.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  type ArrayParts,
  arrayStatus,
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
} from "../../../emulator/mod.ts";
import { ArrayDirectory } from "../../../emulator/array_directory.ts";
import { STATE } from "../../../emulator/board_layout.ts";
import { openBoards } from "../../../emulator/system_bus.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const TRACK = 65536;
const MIB = 2 ** 20;
/** Holds of each process: some ten milliseconds at least, so that the two overlap. */
const WRITES = 20_000;
const record = new Uint8Array(RECORD).fill(3);

interface Child {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  /** The next line that it says. */
  says(): Promise<string>;
  tell(line: string): void;
}

let place: TemporaryArray;
let hosts: AttachedArray[] = [];
let children: Child[] = [];

beforeEach(async () => {
  place = await temporaryArray();
});
afterEach(async () => {
  for (const child of children) await kill(child);
  children = [];
  for (const host of hosts) host.close();
  hosts = [];
  await place.dispose();
});

function create(boards: number, slots: number): void {
  const options = { volumes: 1, volumeBytes: 4 * MIB, boards, cacheBytes: slots * TRACK };
  createArray(place.path, { ...options, memory: "memory" }, place.parts);
}

function attach(parts: ArrayParts = place.parts): AttachedArray {
  const host = attachArray(place.path, { hostName: "test" }, parts);
  hosts.push(host);
  return host;
}

function start(): Child {
  const script = fileURLToPath(new URL("./host_process.ts", import.meta.url).href);
  const config = fileURLToPath(new URL("../../../deno.json", import.meta.url).href);
  const deno = ["run", "-A", "--no-prompt", "-c", config, script];
  const args = ["Deno" in globalThis ? deno : [script], place.path].flat();
  const process_ = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => process_.once("exit", resolve));
  const child: Child = {
    process: process_,
    ended,
    says: () =>
      new Promise((resolve, reject) => {
        process_.stdout?.once("data", (data) => resolve(String(data).trim()));
        process_.once("exit", (code) => reject(new Error(`a host ended with ${code}`)));
      }),
    tell: (line) => void process_.stdin?.write(`${line}\n`),
  };
  children.push(child);
  return child;
}

async function kill(child: Child): Promise<void> {
  try {
    if (child.process.pid !== undefined) process.kill(child.process.pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
  await child.ended;
}

/** Holds of the lock of each board; every one counts itself by a load and a store. */
function holds(host: AttachedArray): number[] {
  const where = { directory: new ArrayDirectory(place.path), geometry: host.geometry };
  const boards = openBoards(place.parts, where, 1);
  const ticks = boards.map((board) => board.words.state(STATE.tick));
  for (const board of boards) board.close();
  return ticks;
}

/** Two processes write as often as WRITES to one cylinder each, at the same time. */
async function twoWriters(cylinders: readonly [number, number]): Promise<void> {
  const writers = [start(), start()];
  for (const writer of writers) expect(await writer.says()).toBe("ready");
  const done = writers.map((writer) => writer.says());
  for (const [at, writer] of writers.entries()) writer.tell(`write ${cylinders[at]} ${WRITES}`);
  expect(await Promise.all(done)).toEqual(["done", "done"]);
}

describe("memory boards", () => {
  test("one board takes one access at a time, whoever asks", async () => {
    create(2, 64);
    const host = attach();
    const before = holds(host);
    // Both cylinders lie on board 0.
    await twoWriters([0, 2]);
    const after = holds(host);
    // A hold that overlapped another would have lost its count.
    expect((after[0] ?? 0) - (before[0] ?? 0)).toBeGreaterThanOrEqual(2 * WRITES);
    const [first, second] = arrayStatus(place.path, place.parts).boards;
    expect(first?.writes).toBe(2 * WRITES);
    expect(first?.waits).toBeGreaterThan(0);
    expect(first?.waitMicros).toBeGreaterThan(0);
    expect(second?.waits).toBe(0);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("different boards serve at the same time: nobody waits", async () => {
    create(2, 64);
    attach();
    await twoWriters([0, 1]);
    const boards = arrayStatus(place.path, place.parts).boards;
    expect(boards.map((board) => [board.writes, board.waits])).toEqual([[WRITES, 0], [WRITES, 0]]);
  });

  test("a board that another has does not hold up the others; waits are counted and timed", () => {
    create(2, 64);
    const host = attach();
    const { files, clock } = place.parts;
    const descriptor = files.open(-100, `${place.path}/memory/board0`, { access: "read-write" });
    let dozes = 0;
    const waiting = attach({
      ...place.parts,
      clock: {
        ...clock,
        monotonicMs: () => dozes * 10,
        doze: () => {
          if (++dozes === 3) files.unlock(descriptor);
        },
        sleep: (ms, options) => clock.sleep(ms, options),
        yield: () => clock.yield(),
      },
    });
    try {
      expect(files.lock(descriptor, "exclusive", { wait: false })).toBe(true);
      waiting.volume("v0").write(MIB, record);
      expect(waiting.counters().waits).toBe(0);
      waiting.volume("v0").write(0, record);
    } finally {
      files.close(descriptor);
    }
    expect(waiting.counters()).toMatchObject({ waits: 1, waitMicros: 30_000 });
    host.volume("v0").write(0, record);
    waiting.volume("v0").write(0, record);
    const boards = arrayStatus(place.path, place.parts).boards;
    expect(boards.map(({ waits, waitMicros }) => [waits, waitMicros])).toEqual([[1, 30_000], [
      0,
      0,
    ]]);
  });
});

describe("disk directors of several processes", () => {
  test("when the active one is killed another goes on with destaging", async () => {
    create(1, 16);
    const active = start();
    expect(await active.says()).toBe("ready");
    active.tell("direct");
    expect(await active.says()).toBe("directing");
    const stop = new AbortController();
    const pending: number[] = [];
    let killed: Promise<void> | null = null;
    let ticks = 0;
    const { clock } = place.parts;
    const host = attach({
      ...place.parts,
      clock: {
        monotonicMs: () => clock.monotonicMs(),
        wallMs: () => clock.wallMs(),
        doze: (ms) => clock.doze(ms),
        yield: () => clock.yield(),
        // Each tick is watched, and takes no time.
        sleep: async () => {
          ticks++;
          pending.push(arrayStatus(place.path, place.parts).boards[0]?.writePending ?? -1);
          if (ticks === 20) await (killed = kill(active));
          if (ticks === 60) stop.abort();
        },
      },
    });
    host.volume("v0").write(0, record);
    await host.runDiskDirector({ signal: stop.signal });
    await killed;
    // It stood by while the other lived, for many more ticks than a track needs to be due.
    expect(pending.slice(0, 20)).toEqual(new Array(20).fill(1));
    expect(pending.at(-1)).toBe(0);
    expect(host.counters().destages).toBe(1);
  });

  test("hosts without a background pass destage for themselves and never block each other", async () => {
    create(1, 2);
    attach();
    // Both evict what the other just wrote, all the time, and nobody runs a pass.
    const writers = [start(), start()];
    for (const writer of writers) expect(await writer.says()).toBe("ready");
    const done = writers.map((writer) => writer.says());
    for (const [at, writer] of writers.entries()) writer.tell(`roam ${at} 3000`);
    expect(await Promise.all(done)).toEqual(["done", "done"]);
    const { boards, hosts: shown } = arrayStatus(place.path, place.parts);
    expect(boards[0]?.delayedWrites).toBeGreaterThan(100);
    expect(boards[0]?.misses).toBeGreaterThan(100);
    expect(shown).toHaveLength(3);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });
});
