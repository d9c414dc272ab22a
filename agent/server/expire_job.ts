// Expiry on the server's worker thread: the vault decides by the configured retention, says what it
// did with each backup, and why. A cancelled one stops between two steps; the next goes on.

import type { ExpiryItemView } from "../control/daemon.ts";
import type { ServerExpireTask, WorkerResult, WorkerSession } from "../job/mod.ts";
import { type ExpiryItem, VaultExpirer } from "../vault/mod.ts";
import { EXPIRY_ITEMS_MAX } from "./limits.ts";

/** Expires what no rule keeps. @throws AgentError `busy` | `no_space` | `failed` | `cancelled` */
export async function runServerExpire(
  session: WorkerSession,
  task: ServerExpireTask,
): Promise<WorkerResult> {
  const { files, random, clock } = session.runtime;
  using expirer = VaultExpirer.open({ directory: task.vault, files, random });
  session.running("expire");
  const run = expirer.expire(task.retention, { dryRun: task.dryRun });
  let step = run.next();
  for (; step.done !== true; step = run.next()) {
    session.throwIfCancelled();
    await clock.yield();
  }
  const items = step.value.map(toView);
  for (let at = 0; at < items.length; at += EXPIRY_ITEMS_MAX) {
    session.planned(items.slice(at, at + EXPIRY_ITEMS_MAX));
  }
  return { status: "ok", backup: null, files: null, bytes: null };
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
