// What this daemon tells the program that started it (sd_notify(3)): that it is ready, reloads,
// stops, and that its main thread still turns. Without NOTIFY_SOCKET it tells nobody.
//
// Invariants:
//  1. A message that cannot be sent ends nothing: the daemon works without its supervisor.
//  2. Signs of life come from the main thread's own event loop, at half of the time that the
//     supervisor waits: a thread that hangs sends none, and is started again.

import { type Runtime, SystemError } from "../transport/mod.ts";
import type { DaemonParts } from "./daemon_parts.ts";

type NoticeParts = Pick<Runtime, "process" | "clock" | "sendLocal">;

/** What a daemon is doing, as the supervisor has words for it. */
export type Notice = "ready" | "reloading" | "stopping";

const WORDS: Readonly<Record<Notice, string>> = {
  ready: "READY=1",
  reloading: "RELOADING=1",
  stopping: "STOPPING=1",
};

/** Characters of a status: `systemctl status` shows one line. */
const STATUS_LENGTH_MAX = 400;

export class ServiceNotices {
  readonly #parts: NoticeParts;
  readonly #log: DaemonParts["log"];
  readonly #socket: string | null;
  #hasFailed = false;

  constructor(parts: NoticeParts, log: DaemonParts["log"]) {
    this.#parts = parts;
    this.#log = log;
    this.#socket = parts.process.env("NOTIFY_SOCKET") || null;
  }

  /** @param status one line for people */
  say(notice: Notice, status: string): void {
    const line = status.replaceAll(/\s+/g, " ").slice(0, STATUS_LENGTH_MAX);
    this.#send(`${WORDS[notice]}\nSTATUS=${line}\n`);
  }

  /** Gives signs of life, if they are asked for, until `signal` fires. */
  async keepAlive(signal: AbortSignal): Promise<void> {
    const { process, clock } = this.#parts;
    const timeoutMs = watchdogMs((name) => process.env(name), process.pid);
    if (timeoutMs === null) return;
    while (!signal.aborted) {
      this.#send("WATCHDOG=1\n");
      // It rejects when the signal fires, which is the end.
      await clock.sleep(timeoutMs / 2, { signal }).catch(() => {});
    }
  }

  #send(text: string): void {
    if (this.#socket === null) return;
    try {
      this.#parts.sendLocal(this.#socket, new TextEncoder().encode(text));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (!this.#hasFailed) this.#log("warning", `cannot tell NOTIFY_SOCKET: ${error.message}`);
      this.#hasFailed = true;
    }
  }
}

/** How long the supervisor waits for a sign of life of this process, in ms; null for ever. */
export function watchdogMs(env: (name: string) => string | undefined, pid: number): number | null {
  const microseconds = Number(env("WATCHDOG_USEC"));
  const wanted = env("WATCHDOG_PID");
  if (!Number.isSafeInteger(microseconds) || microseconds <= 0) return null;
  return wanted === undefined || wanted === String(pid) ? microseconds / 1000 : null;
}
