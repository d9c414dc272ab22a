// A browser's login and logout.

import type { Hono } from "hono";
import { validator } from "hono-openapi";
import { type AccessGuard, LOGIN_PATH } from "./access.ts";
import { loginSchema } from "./request_schema.ts";
import { answers, refuseInvalid } from "./route_document.ts";

export function addSession(app: Hono, access: AccessGuard): void {
  app.post(
    LOGIN_PATH,
    answers("Logs a browser in: its cookie stands for the token", null, { status: 204 }),
    validator("json", loginSchema, refuseInvalid),
    (context) => {
      const cookie = access.logIn(context, context.req.valid("json").token);
      if (cookie !== "") context.header("set-cookie", cookie);
      return context.body(null, 204);
    },
  );
  app.delete(
    LOGIN_PATH,
    answers("Logs a browser out", null, { status: 204 }),
    (context) => {
      const cookie = access.logOut(context);
      if (cookie !== "") context.header("set-cookie", cookie);
      return context.body(null, 204);
    },
  );
}
