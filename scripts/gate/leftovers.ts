// What a step of the gate left on the machine: memory of emulated arrays outlives the processes
// that used it, so a test that forgets to remove its array fills the machine's memory; a loop
// device lives as long as anybody has it open, so one that is left tells of a process that is.

import { existsSync, readdirSync, readFileSync } from "node:fs";

const MEMORY_FOLDER = "/dev/shm";
const ARRAY_MEMORY = /^agent-array-/;

function arrayMemories(): string[] {
  if (!existsSync(MEMORY_FOLDER)) return [];
  return readdirSync(MEMORY_FOLDER).filter((name) => ARRAY_MEMORY.test(name));
}

/** Loop devices that stand in for a shared LUN: their file is memory with this name. */
const LOOP_DEVICE = /^loop\d+$/;
const LUN_NAME = "memfd:agent-lun";

function backingFile(device: string): string {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, "utf8");
  } catch {
    return ""; // It has none, or was detached in this moment.
  }
}

function sharedLuns(): string[] {
  if (!existsSync("/sys/block")) return [];
  return readdirSync("/sys/block")
    .filter((name) => LOOP_DEVICE.test(name) && backingFile(name).includes(LUN_NAME));
}

function everything(): string[] {
  return [
    ...arrayMemories().map((name) => `${MEMORY_FOLDER}/${name}`),
    ...sharedLuns().map((name) => `/dev/${name}`),
  ];
}

/** Looks now; the result of calling it is what was added since. */
export function watchLeftovers(): () => string[] {
  const before = new Set(everything());
  return () => everything().filter((path) => !before.has(path));
}
