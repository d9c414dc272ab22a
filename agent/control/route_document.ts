// How a route says in the OpenAPI document what it takes and answers: by the schemas that validate.

import { describeRoute, resolver } from "hono-openapi";
import type { z } from "zod";
import { AgentError } from "../../transport/ground/error.ts";
import { problemSchema } from "./view_schema.ts";

/** What a route answers besides JSON and problem details. */
export interface Answer {
  readonly status?: 200 | 202 | 204 | 503;
  readonly mediaType?: string;
}

/** Documents a route: what it answers when good, and problem details otherwise. */
export function answers(summary: string, schema: z.ZodType | null, ...kinds: readonly Answer[]) {
  const responses = Object.fromEntries((kinds.length === 0 ? [{}] : kinds).map((kind: Answer) => {
    const { status = 200, mediaType = "application/json" } = kind;
    const content = schema === null
      ? {}
      : { content: { [mediaType]: { schema: resolver(schema) } } };
    return [status, { description: summary, ...content }];
  }));
  return describeRoute({
    summary,
    responses: {
      ...responses,
      default: {
        description: "What went wrong",
        content: { "application/problem+json": { schema: resolver(problemSchema) } },
      },
    },
  });
}

interface Validated {
  readonly success: boolean;
  readonly data: unknown;
  readonly error?: readonly {
    readonly message: string;
    readonly path?: readonly unknown[] | undefined;
  }[];
}

/** Turns a failed validation into `usage`, without sending the request back. */
export function refuseInvalid(result: Validated): void {
  if (result.success) return;
  const texts = (result.error ?? []).map((issue) => {
    const path = (issue.path ?? []).map(String).join(".");
    return `${path === "" ? "request" : path}: ${issue.message}`;
  });
  throw new AgentError("usage", `Cannot take the request: ${texts.join("; ")}`, {
    hint: "See GET /openapi.json for what a request looks like.",
  });
}
