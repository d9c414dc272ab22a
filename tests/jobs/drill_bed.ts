// Runs a drill as the server's worker does, and what it said.

import type { Drill } from "../../agent/control/mod.ts";
import {
  type FromWorker,
  type ServerDrillTask,
  type WorkerResult,
  WorkerSession,
} from "../../agent/job/mod.ts";
import { runServerDrill } from "../../agent/server/mod.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import type { Files } from "../../transport/runtime/mod.ts";
import { files } from "../unit/agent/application/fixture.ts";
import type { IncrementalBed } from "../unit/agent/incremental/incremental_bed.ts";
import { IDENTITY, runtime } from "../unit/transport/flow/flow_bed.ts";

export interface Drilled {
  readonly result: WorkerResult | null;
  readonly error: Error | null;
  readonly drill: Drill | null;
  readonly warnings: readonly (string | null)[];
}

export interface DrillHow extends Partial<ServerDrillTask> {
  readonly through?: Files;
  /** Cancels the job when it starts. */
  readonly cancelled?: boolean;
}

/** A vault, and what its backups are of. */
type DrillBed = Pick<IncrementalBed, "vault" | "source" | "reader">;

/** Runs a drill as a worker does. */
export async function runDrill(bed: DrillBed, how: DrillHow = {}): Promise<Drilled> {
  const { through = files, cancelled = false, ...options } = how;
  using reader = bed.reader();
  const backup = reader.backup(options.backup ?? "latest").backup;
  const task: ServerDrillTask = {
    kind: "server-drill",
    identity: IDENTITY,
    steps: [],
    vault: bed.vault,
    sample: null,
    seed: null,
    scratch: null,
    identityFile: null,
    ...options,
    backup,
  };
  const messages: FromWorker[] = [];
  const mechanism = () => new TcpMechanism(runtime.network);
  await using session = new WorkerSession({
    runtime: Object.create(runtime, { files: { value: through } }),
    task,
    network: mechanism(),
    storage: mechanism(),
    post: (message) => void messages.push(message),
  });
  if (cancelled) session.cancel();
  let result: WorkerResult | null = null;
  let error: Error | null = null;
  try {
    result = await runServerDrill(session, task);
  } catch (thrown) {
    error = thrown instanceof Error ? thrown : new Error(String(thrown));
  }
  const drill = messages.flatMap((one) => one.type === "drill" ? [one.drill] : [])[0] ?? null;
  const warnings = messages.flatMap((one) =>
    one.type === "report" && one.body.type === "warning"
      ? [`${one.body.path?.slice(bed.source.length)} ${one.body.message}`]
      : []
  );
  return { result, error, drill, warnings };
}
