// What a running process has used so far, by /proc.

import { readFileSync, writeFileSync } from "node:fs";

/** Clock ticks of a second in /proc: the kernel's promise to programs, whatever it runs with. */
const TICKS_PER_SECOND = 100;

/** Fields of /proc/PID/stat behind the name of the command, which may hold anything. */
const USER_TICKS_FIELD = 11;
const SYSTEM_TICKS_FIELD = 12;

export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  const ticks = Number(fields[USER_TICKS_FIELD]) + Number(fields[SYSTEM_TICKS_FIELD]);
  return ticks / TICKS_PER_SECOND;
}

/** Bytes that the process has read, from files in cache as well. */
export function readBytesOf(pid: number): number {
  const found = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "latin1"));
  return Number(found?.[1] ?? NaN);
}

/** Forgets the peak so far. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

export function peakMibOf(pid: number): number {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(found?.[1] ?? NaN) / 1024;
}
