// The control endpoint as a Hono app: a value that turns HTTP into calls of the daemon.
//
// Thin: validate, call, answer. It holds no state but the counters of /metrics and is tested by
// `app.request()` without a port. Errors are problem details (problem.ts) whose `code` is the
// product's. Over TCP every request passes access.ts first.

import { type Context, Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { validator } from "hono-openapi";
import { z } from "zod";
import { AgentError, toErrorRecord } from "../../transport/ground/error.ts";
import type { Clock } from "../../transport/runtime/runtime.ts";
import type { Audit } from "../audit_log.ts";
import { audited, auditedRefusals, harden } from "./around_requests.ts";
import { AccessGuard, LOGIN_PATH, type TcpAccess, TooManyAttempts } from "./access.ts";
import { limitBody } from "./body_limit.ts";
import type { Daemon } from "./daemon.ts";
import { eventStream } from "./event_stream.ts";
import { MAX_LOGIN_BYTES, MAX_REQUEST_BYTES, MAX_WAL_REQUEST_BYTES } from "./limits.ts";
import { laddersOf } from "./ladder_plan.ts";
import { addPage } from "./page_routes.ts";
import { arrayMapSchema, ladderSchema } from "./picture_schema.ts";
import { addProbes } from "./probe_routes.ts";
import { problemOf } from "./problem.ts";
import { answers, refuseInvalid } from "./route_document.ts";
import {
  findQuerySchema,
  jobRequestSchema,
  pathQuerySchema,
  sinceSchema,
} from "./request_schema.ts";
import { addSession } from "./session_routes.ts";
import { statusViewSchema } from "./status_schema.ts";
import { validationViewSchema } from "./validation_schema.ts";
import * as views from "./view_schema.ts";
import { addWal, WAL_PATHS } from "./wal_routes.ts";
import type { WalKeeper } from "./wal_view.ts";

export interface ControlAppOptions {
  readonly clock: Pick<Clock, "sleep">;
  /** Null on a Unix socket, where the file's mode is the access control. */
  readonly access: TcpAccess | null;
  /** Notes each request that changes something, or tries to. */
  readonly audit?: Audit;
  /** Told about what is no operating error: our own bugs, for the log. */
  readonly onInternalError?: (error: unknown) => void;
}

/** The app that serves `daemon`; serve_control.ts gives it a socket. */
export function createControlApp(daemon: Daemon, options: ControlAppOptions): Hono {
  const app = new Hono();
  addErrors(app, options);
  const access = new AccessGuard(options.access);
  app.use(harden);
  app.use(audited(access, options.audit ?? (() => {})));
  app.use(access.guard);
  app.use(limitBody(options.clock, requestBytesMax, tooLarge));
  addProbes(app, daemon);
  addPage(app);
  addSession(app, access);
  addJobs(app, daemon, options);
  addReadings(app, daemon);
  addSearches(app, daemon);
  addPins(app, daemon);
  addValidation(app, daemon);
  addWal(app, daemon);
  return app;
}

/** The app of a socket for a database's user: its write-ahead log, and nothing else. */
export function createWalApp(keeper: WalKeeper, options: ControlAppOptions): Hono {
  const app = new Hono();
  addErrors(app, options);
  app.use(auditedRefusals(options.audit ?? (() => {})));
  app.use(limitBody(options.clock, requestBytesMax, tooLarge));
  addWal(app, keeper);
  return app;
}

function addErrors(app: Hono, options: ControlAppOptions): void {
  app.onError((error, context) => answerError(context, error, options));
  app.notFound((context) =>
    answerProblem(context, new AgentError("not_found", `Cannot find route "${context.req.path}"`))
  );
}

/** Bytes that the body of a request for `path` may have. */
function requestBytesMax(path: string): number {
  if (path === LOGIN_PATH) return MAX_LOGIN_BYTES;
  return path.startsWith(WAL_PATHS) ? MAX_WAL_REQUEST_BYTES : MAX_REQUEST_BYTES;
}

function addJobs(app: Hono, daemon: Daemon, options: ControlAppOptions): void {
  app.get(
    "/v1/jobs",
    answers("All jobs, oldest first", z.array(views.jobViewSchema)),
    (context) => context.json(daemon.jobs()),
  );
  app.post(
    "/v1/jobs",
    answers("Starts a job and returns at once", views.jobViewSchema, { status: 202 }),
    validator("json", jobRequestSchema, refuseInvalid),
    (context) => {
      const job = daemon.startJob(context.req.valid("json"));
      context.header("location", `/v1/jobs/${encodeURIComponent(job.job)}`);
      return context.json(job, 202);
    },
  );
  app.get(
    "/v1/jobs/:id",
    answers("One job", views.jobViewSchema),
    (context) => context.json(daemon.job(context.req.param("id"))),
  );
  app.delete(
    "/v1/jobs/:id",
    answers("Asks a job to stop", views.jobViewSchema, { status: 202 }),
    (context) => context.json(daemon.cancelJob(context.req.param("id")), 202),
  );
  app.get(
    "/v1/jobs/:id/trace",
    answers("Steps", z.array(views.traceStepSchema)),
    (context) => context.json(daemon.trace(context.req.param("id"))),
  );
  app.get(
    "/v1/jobs/:id/ladder",
    answers("Steps of both sides beside each other", z.array(ladderSchema)),
    (context) => context.json(laddersOf(daemon.trace(context.req.param("id")))),
  );
  app.get(
    "/v1/jobs/:id/events",
    answers("Events of a job; `since` or Last-Event-ID resumes", views.eventBodySchema, {
      mediaType: "text/event-stream",
    }),
    validator("query", sinceSchema, refuseInvalid),
    (context) => {
      const job = daemon.job(context.req.param("id"));
      const since = context.req.valid("query").since ??
        lastEventId(context.req.header("last-event-id"));
      const abort = new AbortController();
      const events = daemon.events(job.job, { since, signal: abort.signal });
      return context.body(eventStream(events, { clock: options.clock, abort }), 200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
      });
    },
  );
}

function addReadings(app: Hono, daemon: Daemon): void {
  app.get(
    "/v1/status",
    answers("The daemon", statusViewSchema),
    (context) => context.json(daemon.status()),
  );
  app.get(
    "/v1/schedules",
    answers("What its configuration schedules", z.array(views.scheduleViewSchema)),
    (context) => context.json(daemon.schedules()),
  );
  app.get(
    "/v1/stgs",
    answers("Its groups", z.array(views.stgViewSchema)),
    (context) => context.json(daemon.stgs()),
  );
  app.get(
    "/v1/arrays",
    answers("The emulated arrays it is attached to", z.array(views.arrayViewSchema)),
    (context) => context.json(daemon.arrays()),
  );
  app.get(
    "/v1/arrays/:uuid/map",
    answers("What of an array is in cache, by cylinders", z.array(arrayMapSchema)),
    (context) => context.json(daemon.arrayMap(context.req.param("uuid"))),
  );
  app.get("/v1/backups", answers("All backups, newest last", z.array(views.backupViewSchema)), (
    context,
  ) => context.json(daemon.backups()));
  app.get(
    "/v1/backups/:id",
    answers("One backup", views.backupDetailSchema),
    (context) => context.json(daemon.backup(context.req.param("id"))),
  );
  app.get(
    "/v1/backups/:id/entries",
    answers(
      "Immediate children of `path`, or of the bytes `pathBase64`",
      z.array(views.listedEntrySchema),
    ),
    validator("query", pathQuerySchema, refuseInvalid),
    (context) => {
      const { path = null, pathBase64 } = context.req.valid("query");
      const named = pathBase64 === undefined ? path : Uint8Array.fromBase64(pathBase64);
      return context.json(daemon.list(context.req.param("id"), named));
    },
  );
}

function addSearches(app: Hono, daemon: Daemon): void {
  app.get(
    "/v1/entries",
    answers("What `glob` matches in any backup", z.array(views.foundEntrySchema)),
    validator("query", findQuerySchema, refuseInvalid),
    async (context) => context.json(await daemon.find(context.req.valid("query").glob)),
  );
  app.get(
    "/v1/backups/:id/changes/:to",
    answers("What changed from one backup to another", z.array(views.changedEntrySchema)),
    async (context) => {
      const { id, to } = context.req.param();
      return context.json(await daemon.diff(id, to));
    },
  );
}

function addPins(app: Hono, daemon: Daemon): void {
  app.post(
    "/v1/backups/:id/pin",
    answers("Keeps a backup for ever", views.backupDetailSchema),
    (context) => context.json(daemon.pin(context.req.param("id"), true)),
  );
  app.delete(
    "/v1/backups/:id/pin",
    answers("Lets retention decide about a backup again", views.backupDetailSchema),
    (context) => context.json(daemon.pin(context.req.param("id"), false)),
  );
}

function addValidation(app: Hono, daemon: Daemon): void {
  app.post(
    "/v1/clients/:name/validation",
    answers("Sets each channel to a client up, and tells which work", validationViewSchema),
    async (context) => context.json(await daemon.validate(context.req.param("name"))),
  );
}

function tooLarge(maxBytes: number): AgentError {
  return new AgentError("usage", `Cannot take the request: need at most ${maxBytes} bytes`);
}

function lastEventId(header: string | undefined): number {
  const id = Number(header ?? "0");
  return Number.isSafeInteger(id) && id > 0 ? id : 0;
}

function answerError(context: Context, error: unknown, options: ControlAppOptions): Response {
  if (error instanceof HTTPException) {
    // The validator's own refusal: malformed JSON.
    return answerProblem(
      context,
      new AgentError("usage", `Cannot take the request: ${error.message}`),
    );
  }
  if (!(error instanceof AgentError)) options.onInternalError?.(error);
  if (error instanceof TooManyAttempts) {
    context.header("retry-after", String(error.retryAfterSeconds));
    return answerProblem(context, error, 429);
  }
  return answerProblem(context, error);
}

function answerProblem(context: Context, error: unknown, status?: 429): Response {
  const found = problemOf(toErrorRecord(error));
  const problem = { ...found, status: status ?? found.status };
  return context.body(JSON.stringify(problem), problem.status, {
    "content-type": "application/problem+json",
  });
}
