// How a control endpoint answers while a stream runs at full speed in a worker of its process: the
// threads of a daemon with a job, without the job's compression, which would be the slower part.
//
// The main thread holds the host id, beats, and serves the real control app on a Unix socket; the
// worker (stream_worker.ts) has volumes and endpoints of its own and streams.

import type { BenchHost } from "../../agent/bench/mod.ts";
import { createControlApp, serveControl } from "../../agent/control/mod.ts";
import type { Daemon } from "../../agent/control/daemon.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import type { Figures, PeerTask } from "./peer_task.ts";
import type { StreamTask } from "./stream_worker.ts";

export async function driveBesideControl(
  runtime: Runtime,
  host: BenchHost,
  task: PeerTask & { readonly peer: { readonly host: number; readonly port: number } },
): Promise<Figures> {
  const { clock } = runtime;
  const app = createControlApp(silentDaemon(), { clock, access: null });
  const served = await serveControl(app, { kind: "unix", path: task.control }, runtime);
  const thread = runtime.startThread(new URL("./stream_worker.ts", import.meta.url));
  try {
    return await new Promise<Figures>((resolve, reject) => {
      thread.onError(reject);
      thread.onMessage((message) => {
        const { started, figures } = message as { started?: true; figures?: Figures };
        // The controller asks from now on.
        if (started) runtime.process.write(1, `${JSON.stringify({ type: "streaming" })}\n`);
        if (figures !== undefined) resolve(figures);
      });
      thread.post({ task, identity: host.identity, ...host.worker() } satisfies StreamTask);
    });
  } finally {
    await thread.terminate();
    await served.close();
  }
}

/** The benchmark asks for /healthz only, which calls nobody. */
function silentDaemon(): Daemon {
  const never = (): never => {
    throw new Error("the benchmark asks for /healthz only");
  };
  const status: Daemon["status"] = () => ({
    role: "server",
    name: "bench",
    version: "0",
    ready: true,
    reasons: [],
    uptimeSeconds: 0,
    residentBytes: 0,
    stgs: [],
    jobs: { running: 0, queued: 0, total: 0 },
    schedules: [],
    clients: [],
    cutBackups: [],
    wal: [],
    certificates: [],
  });
  return {
    role: "server",
    status,
    startJob: never,
    jobs: () => [],
    job: never,
    cancelJob: never,
    trace: never,
    events: never,
    schedules: () => [],
    stgs: () => [],
    arrays: () => [],
    arrayMap: never,
    validate: never,
    backups: () => [],
    backup: never,
    pin: never,
    pushWal: never,
    pushOwnWal: never,
    getWal: never,
    list: never,
    find: never,
    diff: never,
  };
}
