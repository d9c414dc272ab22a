// One process of the array's benchmark: `array_peer.ts TASK` (array_task.ts). Prints "ready", waits
// for a line on standard input so that two begin together, then measures and prints its figures.

import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { attachArray } from "../../../emulator/mod.ts";
import { currentRuntime } from "../../../transport/runtime/current_runtime.ts";
import type { Runtime } from "../../../transport/runtime/runtime.ts";
import { CHUNK_BYTES } from "../limits.ts";
import { median } from "../median.ts";
import type { ArrayFigures, ArrayTask, Store } from "./array_task.ts";
import {
  CYLINDER_BYTES,
  RECORD_BYTES,
  STREAM_BYTES,
  TRACK_BYTES,
  TRACKS_PER_CYLINDER,
  WARM_UP_SECONDS,
} from "./limits.ts";

interface OpenStore {
  read(offsetBytes: number, into: Uint8Array): void;
  write(offsetBytes: number, from: Uint8Array): void;
  close(): void;
}

const runtime = await currentRuntime();
const task: ArrayTask = JSON.parse(runtime.process.args[0] ?? "null");
const opened = open(runtime, task.store, task.path);
const figures = task.measure === "stream" ? stream(task) : requests(task);
opened.close();
print({ type: "figures", figures });
runtime.process.exit(0);

function open({ files, memories, clock, random }: Runtime, store: Store, path: string): OpenStore {
  if (store === "array") {
    const array = attachArray(path, { hostName: "bench" }, { files, memories, clock, random });
    const volume = array.volume("v0");
    return {
      read: (offsetBytes, into) => volume.read(offsetBytes, into),
      write: (offsetBytes, from) => volume.write(offsetBytes, from),
      close: () => array.close(),
    };
  }
  const descriptor = openSync(path, "r+");
  return {
    read: (offsetBytes, into) => void readSync(descriptor, into, 0, into.length, offsetBytes),
    write: (offsetBytes, from) => void writeSync(descriptor, from, 0, from.length, offsetBytes),
    close: () => closeSync(descriptor),
  };
}

function print(line: object): void {
  runtime.process.write(1, `${JSON.stringify(line)}\n`);
}

/** Says that the store is open, and waits for the start. */
function waitForStart(): void {
  print({ type: "ready" });
  readSync(0, new Uint8Array(1));
}

function stream({ lane, lanes, seconds }: ArrayTask & { measure: "stream" }): ArrayFigures {
  const offsets: number[] = [];
  for (let cylinder = lane; offsets.length * CHUNK_BYTES < STREAM_BYTES; cylinder += lanes) {
    for (let within = 0; within < CYLINDER_BYTES; within += CHUNK_BYTES) {
      offsets.push(cylinder * CYLINDER_BYTES + within);
    }
  }
  const buffer = new Uint8Array(CHUNK_BYTES).fill(7);
  const pass = (): number => {
    for (const offset of offsets) opened.write(offset, buffer);
    for (const offset of offsets) opened.read(offset, buffer);
    return 2 * offsets.length * CHUNK_BYTES;
  };
  pass();
  waitForStart();
  run(pass, WARM_UP_SECONDS);
  return { bytesPerSecond: run(pass, seconds) };
}

/** @returns bytes per second over whole passes */
function run(pass: () => number, seconds: number): number {
  const { clock } = runtime;
  const startMs = clock.monotonicMs();
  let [bytes, nowMs] = [0, startMs];
  while (nowMs - startMs < seconds * 1000) {
    bytes += pass();
    nowMs = clock.monotonicMs();
  }
  return bytes / ((nowMs - startMs) / 1000);
}

function requests(task: ArrayTask & { measure: "requests" }): ArrayFigures {
  // An odd count of cylinders: then the tracks lie evenly on all boards.
  const step = Math.floor(task.deviceBytes / task.tracks / CYLINDER_BYTES);
  const stepBytes = (step % 2 === 0 ? step - 1 : step) * CYLINDER_BYTES;
  const record = new Uint8Array(RECORD_BYTES).fill(7);
  for (let track = 0; track < task.tracks; track++) opened.write(track * stepBytes, record);
  waitForStart();
  // A multiplier without common factors visits every track once, in no order that prefetch knows.
  const place = (index: number) => (index * 40503 % task.tracks) * stepBytes;
  const timed = (request: (offsetBytes: number, index: number) => void): number => {
    const batches: number[] = [];
    const count = Math.max(16, Math.min(256, task.tracks));
    for (let from = 0; from < task.requests; from += count) {
      const sinceMs = runtime.clock.monotonicMs();
      for (let index = from; index < from + count; index++) request(place(index), index);
      batches.push((runtime.clock.monotonicMs() - sinceMs) * 1000 / count);
    }
    return median(batches);
  };
  const readUs = timed((offset) => opened.read(offset, record));
  const writeUs = timed((offset) => opened.write(offset, record));
  // Each pass takes the next track of every cylinder: none is in cache, and each needs a slot.
  const miss = (offset: number, index: number): void => {
    const pass = Math.floor(index / task.tracks) % (TRACKS_PER_CYLINDER - 1);
    opened.read(offset + (1 + pass) * TRACK_BYTES, record);
  };
  // Twice as many slots as tracks: after two passes this process has mapped every page of them.
  const warm = 2 * task.tracks;
  for (let index = 0; index < warm; index++) miss(place(index), index);
  const missUs = timed((offset, index) => miss(offset, warm + index));
  return { readUs, writeUs, missUs };
}
