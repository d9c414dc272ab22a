// Routes for programs that watch a daemon: is it alive, is it ready, what does it count, and what
// can be asked of it.

import type { Hono } from "hono";
import { openAPIRouteHandler } from "hono-openapi";
import { z } from "zod";
import type { Daemon } from "./daemon.ts";
import { DaemonMetrics } from "./metrics.ts";
import { answers } from "./route_document.ts";

const healthSchema = z.object({ status: z.literal("ok") });
const readySchema = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

export function addProbes(app: Hono, daemon: Daemon): void {
  const metrics = new DaemonMetrics(daemon);
  app.get(
    "/healthz",
    answers("The process answers", healthSchema),
    (context) => context.json({ status: "ok" }),
  );
  app.get(
    "/readyz",
    answers("Ready for jobs, or 503 and why not", readySchema, {}, { status: 503 }),
    (context) => {
      const { ready, reasons } = daemon.status();
      return context.json({ ready, reasons }, ready ? 200 : 503);
    },
  );
  app.get(
    "/metrics",
    answers("Prometheus metrics", z.string(), { mediaType: "text/plain" }),
    async (context) =>
      context.body(await metrics.render(), 200, { "content-type": metrics.contentType }),
  );
  app.get(
    "/openapi.json",
    answers("This description", z.looseObject({ openapi: z.string() })),
    openAPIRouteHandler(app, {
      excludeStaticFile: false, // This very route looks like one.
      documentation: {
        info: { title: "Agent control endpoint", version: daemon.status().version },
      },
    }),
  );
}
