// Several processes on one array, and what their sudden end leaves behind.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { arrayStatus, attachArray, checkArray, createArray } from "../../../emulator/mod.ts";
import { patternBytes } from "../../contract/volume_conformance.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const TRACK = 65536;
/** Eight tracks of records in a cache of four slots: most writes evict. */
const RECORDS = 128;
const KILLS = Number(process.env["ARRAY_KILLS"] ?? "30");
/** Longest life of a writer after its first write, milliseconds. */
const MOST_LIFE_MS = 40;

/** Reads against a process that evicts: about half a second. */
const READS = 40_000;

/** A child and its end; its own fields may tell of a signal that has not ended it yet. */
interface Writer {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

function startWriter(path: string): Writer {
  const script = fileURLToPath(new URL("./writer_process.ts", import.meta.url).href);
  const config = fileURLToPath(new URL("../../../deno.json", import.meta.url).href);
  const args = "Deno" in globalThis ? ["run", "-A", "--no-prompt", "-c", config, script] : [script];
  const child = spawn(process.execPath, [...args, path, String(RECORDS)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { child, ended: new Promise((resolve) => child.once("exit", () => resolve())) };
}

/** By process id: Deno's child.kill() sends nothing after its first signal. */
function signal(child: ChildProcess, name: "SIGSTOP" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    process.kill(child.pid, name);
  } catch {
    // It ended by itself a moment ago.
  }
}

function firstOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`writer ended with ${code}`)));
  });
}

describe("array shared by processes", () => {
  let place: TemporaryArray;
  let writers: Writer[] = [];

  beforeEach(async () => {
    place = await temporaryArray();
  });
  afterEach(async () => {
    for (const { child, ended } of writers) {
      signal(child, "SIGKILL");
      await ended;
    }
    writers = [];
    await place.dispose();
  });

  async function startedWriter(): Promise<Writer> {
    const writer = startWriter(place.path);
    writers.push(writer);
    await firstOutput(writer.child);
    return writer;
  }

  test("array stays sound and loses no write when its writer is killed at any moment", async () => {
    const seed = Date.now() % 2 ** 31;
    const random = seededRandom(seed);
    createArray(place.path, {
      volumes: 2,
      volumeBytes: 2 ** 20,
      boards: 2,
      cacheBytes: 8 * 65536,
      memory: "memory",
    }, place.parts);
    const observer = attachArray(place.path, { hostName: "observer" }, place.parts);
    try {
      let before = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const { child, ended } = await startedWriter();
        await place.parts.clock.sleep(random(MOST_LIFE_MS));
        signal(child, "SIGKILL");
        await ended;
        writers = [];
        expect(checkArray(place.path, place.parts)).toEqual([]);
        const last = checkRecords(observer.volume("v0"), seed);
        expect(last).toBeGreaterThanOrEqual(before);
        before = last;
      }
      expect(before).toBeGreaterThan(RECORDS);
    } finally {
      observer.close();
    }
    expect(arrayStatus(place.path, place.parts).attached).toBe(false);
  });

  test("read() never gives data of another track while another process evicts", async () => {
    const options = { volumes: 2, volumeBytes: 2 ** 20, boards: 1, cacheBytes: 6 * 65536 };
    createArray(place.path, { ...options, memory: "memory" }, place.parts);
    const host = attachArray(place.path, { hostName: "reader" }, place.parts);
    try {
      const volume = host.volume("v1");
      const wanted = patternBytes(2 ** 20, 1);
      volume.write(0, wanted);
      await startedWriter();
      const random = seededRandom(1);
      const track = new Uint8Array(TRACK);
      for (let count = 0; count < READS; count++) {
        // Mostly one of two tracks, so that hits without the lock are common, and evictions too.
        const at = random(random(8) === 0 ? 16 : 2) * TRACK;
        volume.read(at, track);
        // A sample of the bytes is enough, and leaves the time to the reads.
        for (let within = 0; within < TRACK; within += 500) {
          if (track[within] === wanted[at + within]) continue;
          throw new Error(`byte ${at + within} of v1 is not what was written`);
        }
      }
    } finally {
      host.close();
    }
  });

  test("array serves other boards while a process is stopped", async () => {
    createArray(place.path, { volumes: 2, volumeBytes: 2 ** 20, memory: "memory" }, place.parts);
    const { child } = await startedWriter();
    // The writer uses the board of v0's only cylinder; v1's lies on another.
    signal(child, "SIGSTOP");
    const host = attachArray(place.path, { hostName: "other" }, place.parts);
    try {
      const status = arrayStatus(place.path, place.parts);
      expect(status.attached).toBe(true);
      const bytes = new Uint8Array(RECORD).fill(7);
      const found = new Uint8Array(RECORD);
      const volume = host.volume("v1");
      for (let record = 0; record < 16; record++) {
        volume.write(record * RECORD, bytes);
        volume.read(record * RECORD, found);
        expect(found).toEqual(bytes);
      }
      expect(child.exitCode).toBe(null);
    } finally {
      host.close();
    }
  });
});

/** Every record holds the last write to it; only the one that was being written may be a mix. */
function checkRecords(
  volume: { read(offsetBytes: number, into: Uint8Array): void },
  seed: number,
): number {
  const words = new Uint32Array(RECORD / 4);
  const bytes = new Uint8Array(words.buffer);
  const firsts: number[] = [];
  const mixed: number[] = [];
  for (let record = 0; record < RECORDS; record++) {
    volume.read(record * RECORD, bytes);
    firsts.push(words[0] ?? 0);
    if (words.some((word) => word !== words[0])) mixed.push(record);
  }
  expect(mixed.length).toBeLessThanOrEqual(1);
  const clean = firsts.filter((_, record) => !mixed.includes(record));
  const last = Math.max(...clean);
  for (const [record, found] of firsts.entries()) {
    if (mixed.includes(record)) continue;
    const wanted = Math.max(0, last - ((last - record) % RECORDS + RECORDS) % RECORDS);
    if (found === wanted) continue;
    throw new Error(`record ${record} holds ${found}, need ${wanted} (seed ${seed})`);
  }
  return last;
}
