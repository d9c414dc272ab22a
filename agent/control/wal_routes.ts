// The routes of the control endpoint for write-ahead logs, which also stand alone on a socket for
// the databases' user: it can hand a log over and fetch it, and nothing else.
//
// That a file is not there is told by a code of its own (`absent`): a recovering database takes it
// for the end of the log, so no other failure may look like it.

import type { Hono } from "hono";
import { validator } from "hono-openapi";
import { z } from "zod";
import { AgentError } from "../../transport/ground/error.ts";
import { walOwnSchema, walQuerySchema } from "./request_schema.ts";
import { answers, refuseInvalid } from "./route_document.ts";
import { walPushedOwnSchema, walPushedSchema } from "./view_schema.ts";
import type { WalKeeper } from "./wal_view.ts";

/** RFC 8878. */
const FRAME = "application/zstd";

/** What all paths of these routes begin with. */
export const WAL_PATHS = "/v1/wal/";

export function addWal(app: Hono, keeper: WalKeeper): void {
  app.put(
    "/v1/wal/:database/:name",
    answers("Keeps a file of a write-ahead log; answers when it is durable", walPushedSchema),
    validator("query", walQuerySchema, refuseInvalid),
    async (context) => {
      const { database, name } = context.req.param();
      const system = context.req.valid("query").system ?? null;
      const bytes = new Uint8Array(await context.req.arrayBuffer());
      return context.json(await keeper.pushWal({ database, name, system, bytes }));
    },
  );
  app.post(
    "/v1/wal/:database/:name",
    answers(
      "Keeps a file of a write-ahead log that the daemon reads itself, or says that it is unlike",
      walPushedOwnSchema,
    ),
    validator("query", walQuerySchema, refuseInvalid),
    validator("json", walOwnSchema, refuseInvalid),
    async (context) => {
      const { database, name } = context.req.param();
      const system = context.req.valid("query").system ?? null;
      const digest = context.req.valid("json");
      return context.json(await keeper.pushOwnWal({ database, name, system, ...digest }));
    },
  );
  app.get(
    "/v1/wal/:database/:name",
    answers("A file of a write-ahead log, as one zstd frame", z.string(), { mediaType: FRAME }),
    validator("query", walQuerySchema, refuseInvalid),
    async (context) => {
      const { database, name } = context.req.param();
      const system = context.req.valid("query").system ?? null;
      const frame = await keeper.getWal({ database, name, system });
      if (frame === null) throw absent(name);
      return context.body(new Uint8Array(frame), 200, {
        "content-type": FRAME,
        "content-length": String(frame.length),
      });
    },
  );
}

function absent(name: string): AgentError {
  return new AgentError("absent", `Cannot fetch "${name}": the archive does not have it`);
}
