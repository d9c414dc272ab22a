// Entry of a job's worker thread: composes the parts of a job, runs it, and reports its end. The
// next job of the thread, if one comes, is composed anew: nothing of one is left for the other.
//
// The composition root runs in every worker; only plain data comes in. Anything thrown is a failed
// job, but for a broken assertion of ours, which ends the whole process (exit 70).

import {
  AgentError,
  assert,
  AssertionFailure,
  currentRuntime,
  type Runtime,
  type Thread,
  toErrorRecord,
  withDeadline,
} from "../transport/mod.ts";
import { runClientDatabase, runClientFilesystem } from "./client/mod.ts";
import { composeJob, type ComposeJobOptions, type JobParts } from "./compose.ts";
import { CLOSE_GRACE_MS } from "./job/mod.ts";
import type { FromWorker, NetworkPart, ToWorker, WorkerResult, WorkerTask } from "./job/mod.ts";
import { operatingError } from "./operating_error.ts";
import {
  runServerDatabase,
  runServerDrill,
  runServerExpire,
  runServerFilesystem,
  runServerRebuild,
  runServerValidate,
  runServerVerify,
  runServerVerifyWal,
} from "./server/mod.ts";

/** Of a job that has no parts yet. */
const NO_BYTES = { network: { bytes: 0 }, storage: { bytes: 0 } } as const;

const runtime = await currentRuntime();
serveJobs(runtime, runtime.parentThread());

/** Takes a task and what follows it, and the next task only after the end of that. */
function serveJobs(runtime: Runtime, parent: Thread): void {
  let network: NetworkPart | null = null;
  let parts: JobParts | null = null;
  const post = (message: FromWorker) => parent.post(message);
  runtime.process.onUncaught((thrown) => {
    if (thrown instanceof AssertionFailure) return assertionFailed(thrown, post);
    const channels = parts?.session.channels() ?? NO_BYTES;
    const result = { error: toErrorRecord(withStack(thrown)) };
    post({ type: "end", result, channels, closed: false });
  });
  parent.onMessage((received) => {
    const message = received as ToWorker;
    if (message.type === "network") network = message.network;
    else if (message.type === "task") {
      assert(network !== null, "the network comes before the task");
      assert(parts === null, "a thread has one job at a time");
      const { task } = message;
      const report = untilEnd(post, () => parts = null);
      parts = composed(runtime, { network, task, post: report });
      if (parts !== null) void runJob(parts, task, report);
    } else if (message.type === "connection") parts?.session.adopt(message.connection);
    else if (message.type === "lost") parts?.lose(message.stg, message.error);
    else if (message.type === "wal") parts?.session.walRequests.add(message.request);
    else if (message.type === "writer") parts?.session.lendWriter(message.port);
    else parts?.session.cancel();
  });
}

/** What a job reports; nothing of it comes after its end, when the thread may have another one. */
function untilEnd(post: (message: FromWorker) => void, onEnd: () => void): typeof post {
  let ended = false;
  return (message) => {
    if (ended && message.type !== "assertion") return;
    if (message.type === "end") {
      ended = true;
      onEnd();
    }
    post(message);
  };
}

/** @returns null after it told that the job cannot start */
function composed(runtime: Runtime, options: ComposeJobOptions): JobParts | null {
  try {
    return composeJob(runtime, options);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const result = { error: toErrorRecord(error) };
    options.post({ type: "end", result, channels: NO_BYTES, closed: false });
    return null;
  }
}

async function runJob(
  parts: JobParts,
  task: WorkerTask,
  post: (message: FromWorker) => void,
): Promise<void> {
  const { session } = parts;
  let end: WorkerResult | { readonly error: ReturnType<typeof toErrorRecord> };
  try {
    end = await runTask(parts, task);
  } catch (thrown) {
    if (thrown instanceof AssertionFailure) return assertionFailed(thrown, post);
    const error = operatingError(thrown, `finish job "${task.identity.job}"`);
    end = { error: toErrorRecord(error instanceof AgentError ? error : withStack(error)) };
  }
  const { clock } = session.runtime;
  let closed = false;
  const deadline = { timeoutMs: CLOSE_GRACE_MS, action: "close what the job opened" };
  try {
    await withDeadline(clock, deadline, async () => {
      await session[Symbol.asyncDispose]();
      await parts.close();
    });
    closed = true;
  } catch (error) {
    // What cannot be closed in order, such as a write that a dead disk never answers, ends with
    // the thread; the job's own end stands.
    if (error instanceof AssertionFailure) return assertionFailed(error, post);
  }
  post({ type: "end", result: end, channels: session.channels(), closed });
}

function assertionFailed(error: AssertionFailure, post: (message: FromWorker) => void): void {
  post({ type: "assertion", message: error.stack ?? error.message });
}

function runTask(parts: JobParts, task: WorkerTask): Promise<WorkerResult> {
  const { session, prove } = parts;
  switch (task.kind) {
    case "server-filesystem":
      return runServerFilesystem(session, task, prove);
    case "server-database":
      return runServerDatabase(session, task, prove);
    case "server-verify":
      return runServerVerify(session, task);
    case "server-verify-wal":
      return runServerVerifyWal(session, task);
    case "server-drill":
      return runServerDrill(session, task);
    case "server-rebuild":
      return runServerRebuild(session, task);
    case "server-expire":
      return runServerExpire(session, task);
    case "server-validate":
      return runServerValidate(session, task, prove);
    case "client-filesystem":
      return runClientFilesystem(session, task, prove);
    case "client-database":
      return runClientDatabase(session, task, prove);
  }
}

/** An unexpected error is worth its stack in the log. */
function withStack(error: unknown): Error {
  return new Error(error instanceof Error ? error.stack ?? error.message : String(error));
}
