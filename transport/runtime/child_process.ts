// Processes that this one starts, the same code on both runtimes, and the end of our own input.
//
// Invariants: `ended` settles exactly once, also when the program cannot be started (127). What it
// said arrives before, unless others that it started hold its output for longer than DRAIN_MS. The
// child's standard error is ours, if nobody wants it; its standard input is a pipe that ends when
// we do, so a child that watches it never outlives us by accident.

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { assert } from "../ground/assert.ts";
import type {
  ChildProcess,
  ChildProcessOptions,
  PipedProcess,
  PipedProcessOptions,
} from "./runtime.ts";

/** Exit code of a program that could not be started, as shells give it. */
const CANNOT_START = 127;

/** Time for the rest of its output once a program has ended, in ms. */
const DRAIN_MS = 1_000;

/** What shells add to the number of the signal that ended a program. */
const BY_SIGNAL = 128;
const SIGNAL_NUMBERS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export function startChildProcess(
  command: readonly string[],
  { onLine, onErrorText, environment, isGroup = false }: ChildProcessOptions,
): ChildProcess {
  const child = spawnChild(command, {
    environment,
    isGroup,
    keepsErrors: onErrorText !== undefined,
  });
  const { stdin, stdout, stderr } = child;
  const lines = createInterface({ input: stdout });
  lines.on("line", onLine);
  const outputs = [new Promise<void>((resolve) => lines.on("close", () => resolve()))];
  if (stderr !== null && onErrorText !== undefined) outputs.push(readErrors(stderr, onErrorText));
  return {
    ended: endOf(child, { outputs, onErrorText, drop: [stdout, stderr] }),
    endInput: () => void stdin.end(),
    kill: (signal) => killChild(child, { signal, isGroup }),
  };
}

export function startPipedProcess(
  command: readonly string[],
  { onErrorText, environment }: PipedProcessOptions,
): PipedProcess {
  const child = spawnChild(command, { environment, isGroup: true, keepsErrors: true });
  const { stdin, stdout, stderr } = child;
  const outputs = stderr === null ? [] : [readErrors(stderr, onErrorText)];
  const chunks = stdout.iterator();
  return {
    // Its output is not dropped when it ends: what it started may go on writing.
    ended: endOf(child, { outputs, onErrorText, drop: [stderr] }),
    read: async () => {
      const { done, value } = await chunks.next();
      if (done === true) return null;
      const bytes: Uint8Array = value;
      return bytes;
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stdin.write(bytes, (error) => error ? reject(error) : resolve());
      }),
    endInput: () => void stdin.end(),
    kill: (signal) => killChild(child, { signal, isGroup: true }),
  };
}

interface SpawnOptions {
  readonly environment: Readonly<Record<string, string>> | undefined;
  readonly isGroup: boolean;
  /** False: its standard error is ours. */
  readonly keepsErrors: boolean;
}

function spawnChild(
  command: readonly string[],
  { environment, isGroup, keepsErrors }: SpawnOptions,
) {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", keepsErrors ? "pipe" : "inherit"],
    env: { ...process.env, ...environment },
    detached: isGroup,
  });
  const { stdin, stdout } = child;
  assert(stdin !== null && stdout !== null, "they are pipes");
  // A child that is gone breaks the pipe; its end tells the same.
  stdin.on("error", () => {});
  return Object.assign(child, { stdin, stdout });
}

function readErrors(stderr: Readable, onErrorText: (text: string) => void): Promise<void> {
  stderr.setEncoding("utf8");
  stderr.on("data", onErrorText);
  return new Promise((resolve) => stderr.on("close", () => resolve()));
}

interface EndOptions {
  /** What is waited for, once it ended. */
  readonly outputs: readonly Promise<void>[];
  /** What is closed when that takes long. */
  readonly drop: readonly (Readable | null)[];
  readonly onErrorText: ((text: string) => void) | undefined;
}

function endOf(
  child: ReturnType<typeof spawnChild>,
  { outputs, drop, onErrorText }: EndOptions,
): Promise<number> {
  return new Promise((resolve) => {
    child.on("error", (error) => {
      onErrorText?.(error.message);
      resolve(CANNOT_START);
    });
    child.on("exit", (code, signal) => {
      const end = () => resolve(code ?? BY_SIGNAL + (SIGNAL_NUMBERS[signal ?? ""] ?? 0));
      const timer = setTimeout(() => {
        for (const output of drop) output?.destroy();
        end();
      }, DRAIN_MS);
      void Promise.all(outputs).then(() => {
        clearTimeout(timer);
        end();
      });
    });
  });
}

/**
 * A group is signalled after its leader has ended, too, for what it started may live. The kernel
 * gives no number out again while a group of that number has members, so the signal reaches those
 * or nobody; a number that is free comes again only after all others, and then as that of a group
 * only for one who made it so. Callers signal once, within seconds of the end.
 */
function killChild(
  child: ReturnType<typeof spawnChild>,
  { signal, isGroup }: { readonly signal: "SIGTERM" | "SIGKILL"; readonly isGroup: boolean },
): void {
  // By its number: under Deno `child.kill` tells the signal as the end, whatever comes.
  const hasEnded = child.exitCode !== null || child.signalCode !== null;
  if (child.pid === undefined || (hasEnded && !isGroup)) return;
  try {
    process.kill(isGroup ? -child.pid : child.pid, signal);
  } catch {
    // It ended in this moment, or nobody is left of its group.
  }
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
