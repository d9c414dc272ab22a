// Processes that this one starts, the same code on both runtimes, and the end of our own input.
//
// Invariants: `ended` settles exactly once, also when the program cannot be started (127). Lines
// arrive before `ended`. The child's standard error is ours; its standard input is a pipe that
// ends when we do, so a child that watches it never outlives us by accident.

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { ChildProcess, ChildProcessOptions } from "./runtime.ts";

/** Exit code of a program that could not be started, as shells give it. */
const CANNOT_START = 127;

/** What shells add to the number of the signal that ended a program. */
const BY_SIGNAL = 128;
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export function startChildProcess(
  command: readonly string[],
  { onLine }: ChildProcessOptions,
): ChildProcess {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  lines.on("line", onLine);
  const drained = new Promise<void>((resolve) => lines.on("close", () => resolve()));
  // A child that is gone breaks the pipe; its end tells the same.
  child.stdin.on("error", () => {});
  const ended = new Promise<number>((resolve) => {
    child.on("error", () => resolve(CANNOT_START));
    child.on("exit", (code, signal) => {
      const number = BY_SIGNAL + (SIGNAL_NUMBERS[signal ?? ""] ?? 0);
      void drained.then(() => resolve(code ?? number));
    });
  });
  return {
    ended,
    endInput: () => void child.stdin.end(),
    kill: (signal) => {
      // By its number: under Deno `child.kill` tells the signal as the end, whatever comes.
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      try {
        process.kill(child.pid, signal);
      } catch {
        // It ended in this moment.
      }
    },
  };
}

/** Calls `handler` when standard input ends. @returns stops watching */
export function onInputEnd(handler: () => void): () => void {
  const { stdin } = process;
  stdin.on("end", handler);
  stdin.on("close", handler);
  stdin.resume();
  return () => {
    stdin.off("end", handler);
    stdin.off("close", handler);
    stdin.pause();
  };
}

/** User and system time of this process with all its threads. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
