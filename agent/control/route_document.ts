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

const JSON_ANSWER: readonly Answer[] = [{}];
type Described = { readonly schema: ReturnType<typeof resolver> };

/** Documents a route: what it answers when good, and problem details otherwise. */
export function answers(summary: string, schema: z.ZodType | null, ...kinds: readonly Answer[]) {
  const described = new Map<number, Record<string, Described>>();
  for (
    const { status = 200, mediaType = "application/json" } of kinds.length > 0 ? kinds : JSON_ANSWER
  ) {
    const media = schema === null ? {} : { [mediaType]: { schema: resolver(schema) } };
    described.set(status, { ...described.get(status), ...media });
  }
  const responses = Object.fromEntries(
    [...described].map(([status, content]) => [
      status,
      { description: summary, ...(schema === null ? {} : { content }) },
    ]),
  );
  const problem = {
    description: "What went wrong",
    content: { "application/problem+json": { schema: resolver(problemSchema) } },
  };
  // 400 by name: the validator would describe an answer of its own kind there.
  return describeRoute({ summary, responses: { ...responses, 400: problem, default: problem } });
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
