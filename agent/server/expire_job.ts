// Expiry on the server's worker thread: the vault decides by the configured retention, says what it
// did with each backup, and why. A cancelled one stops between two steps; the next goes on.

import type { ExpiryItemView } from "../control/daemon.ts";
import type { ServerExpireTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import { type ExpiryItem, VaultExpirer, type WalExpiry } from "../vault/mod.ts";
import { EXPIRY_ITEMS_MAX } from "./limits.ts";

/** Expires what no rule keeps. @throws AgentError `busy` | `no_space` | `failed` | `cancelled` */
export async function runServerExpire(
  session: WorkerSession,
  task: ServerExpireTask,
): Promise<WorkerResult> {
  const { files, random, clock } = session.runtime;
  using expirer = VaultExpirer.open({ directory: task.vault, files, random });
  session.running("expire");
  const { dryRun } = task;
  const run = async <T>(steps: Generator<void, T>): Promise<T> => {
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) {
      session.throwIfCancelled();
      await clock.yield();
    }
    return step.value;
  };
  const expired = await run(expirer.expire(task.retention, { dryRun }));
  const wal = await run(expirer.expireWal(expired, { dryRun }));
  const items = expired.map(toView);
  for (let at = 0; at < items.length; at += EXPIRY_ITEMS_MAX) {
    session.planned(items.slice(at, at + EXPIRY_ITEMS_MAX));
  }
  return { status: "ok", backup: null, files: null, bytes: null, wal: walSummary(wal) };
}

function walSummary(archives: readonly WalExpiry[]): WorkerResult["wal"] {
  return {
    files: archives.reduce((sum, { files }) => sum + files, 0),
    bytes: archives.reduce((sum, { bytes }) => sum + bytes, 0),
    archives,
  };
}

function toView({ fact, action, why, released }: ExpiryItem): ExpiryItemView {
  const { backup, client, kind, database, timeMs, status, mediaBytes } = fact;
  return {
    type: "item",
    backup,
    client,
    kind,
    database,
    time: new Date(timeMs).toISOString(),
    status,
    action,
    why,
    frees: released ? mediaBytes : 0,
    holds: action !== "keep" && !released ? mediaBytes : 0,
  };
}
