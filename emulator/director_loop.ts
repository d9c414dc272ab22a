// The background pass of the disk director, for the main thread of a daemon.
//
// One process at a time is active, by a lock that dies with it; the others stand by and take over.
// Every tick the epoch of each board goes up, and the tracks that are due are destaged in the
// order of their addresses, a few per hold of the board's lock, with a yield in between.

import { AgentError } from "../transport/ground/error.ts";
import type { Clock } from "../transport/runtime/runtime.ts";
import { STATE } from "./board_layout.ts";
import type { DiskDirector } from "./disk_director.ts";
import type { FileLock } from "./file_lock.ts";
import { DIRECTOR_TICK_MS, STANDBY_TICK_MS } from "./limits.ts";
import type { MemoryBoard } from "./memory_board.ts";

export interface DirectorLoopParts {
  readonly boards: readonly MemoryBoard[];
  readonly director: DiskDirector;
  readonly clock: Clock;
  /** Who holds it is active. */
  readonly lock: FileLock;
  /** Told about a pass that failed, or null when a later one went through. */
  readonly onFailure: (error: AgentError | null) => void;
}

/** Runs until the signal fires; the lock is free afterwards. */
export async function runDirectorLoop(
  parts: DirectorLoopParts,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  try {
    while (!options.signal.aborted) {
      const active = parts.lock.tryTake("exclusive");
      if (active) await tryPass(parts, options.signal);
      await sleep(parts.clock, active ? DIRECTOR_TICK_MS : STANDBY_TICK_MS, options.signal);
    }
  } finally {
    parts.lock.close();
  }
}

async function tryPass(parts: DirectorLoopParts, signal: AbortSignal): Promise<void> {
  try {
    for (const board of parts.boards) await passBoard(parts, board, signal);
    parts.onFailure(null);
  } catch (error) {
    // A device that fails keeps its tracks pending; the next pass tries again.
    if (!(error instanceof AgentError)) throw error;
    parts.onFailure(error);
  }
}

async function passBoard(
  parts: DirectorLoopParts,
  board: MemoryBoard,
  signal: AbortSignal,
): Promise<void> {
  // Nothing pending: no need to disturb the board. Ages only matter while something is.
  if (board.words.state(STATE.writePending) === 0) return;
  for (let next = 0; next >= 0 && !signal.aborted;) {
    // A busy board is left for the next tick: this thread has other things to do than to wait.
    if (!board.tryLock()) return;
    let sound = false;
    try {
      if (next === 0) board.words.addState(STATE.epoch, 1);
      next = parts.director.destageSome(board, next, { all: false }).next;
      sound = true;
    } finally {
      board.unlock(sound);
    }
    if (next >= 0) await parts.clock.yield();
  }
}

async function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
