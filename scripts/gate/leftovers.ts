// What a step of the gate left on the machine: memory of emulated arrays outlives the processes
// that used it, so a test that forgets to remove its array fills the machine's memory.

import { existsSync, readdirSync } from "node:fs";

const MEMORY_FOLDER = "/dev/shm";
const ARRAY_MEMORY = /^agent-array-/;

function arrayMemories(): string[] {
  if (!existsSync(MEMORY_FOLDER)) return [];
  return readdirSync(MEMORY_FOLDER).filter((name) => ARRAY_MEMORY.test(name));
}

/** Looks now; the result of calling it is what was added since. */
export function watchLeftovers(): () => string[] {
  const before = new Set(arrayMemories());
  return () =>
    arrayMemories().filter((name) => !before.has(name)).map((name) => `${MEMORY_FOLDER}/${name}`);
}
