// An app whose every answer must be what its own OpenAPI document says: status, media type, shape.

import { expect } from "bun:test";
import { z } from "zod";
import { type ControlAppOptions, createControlApp } from "../../../../agent/control/mod.ts";
import type { Daemon } from "../../../../agent/control/mod.ts";

interface Content {
  readonly schema: Parameters<typeof z.fromJSONSchema>[0];
}
interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: Record<string, Content> }>>;
}
export type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const VERBS = ["get", "post", "delete", "put", "patch"];

/** Method and path of every route of the app, as the document names them. */
export function routesOf(app: ReturnType<typeof createControlApp>): string[] {
  const own = app.routes.filter(({ method }) => VERBS.includes(method.toLowerCase()));
  return [
    ...new Set(
      own.map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, "{$1}")}`),
    ),
  ];
}

export class DocumentedApp {
  readonly app: ReturnType<typeof createControlApp>;
  readonly #plain: ReturnType<typeof createControlApp>;

  constructor(daemon: Daemon, options: ControlAppOptions) {
    this.app = createControlApp(daemon, options);
    // The document is for everybody who may see it; what guards it is not under test here.
    this.#plain = createControlApp(daemon, { ...options, access: null });
  }

  async paths(): Promise<Paths> {
    return (await (await this.#plain.request("/openapi.json")).json()).paths;
  }

  async request(target: string, init: RequestInit = {}): Promise<Response> {
    const answer = await this.app.request(target, init);
    const { pathname } = new URL(target, "http://localhost");
    const operation = await this.#operation(pathname, init.method ?? "GET");
    if (operation !== undefined) await check(answer, operation);
    return answer;
  }

  async #operation(pathname: string, method: string): Promise<Operation | undefined> {
    for (const [path, verbs] of Object.entries(await this.paths())) {
      const pattern = new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`);
      if (pattern.test(pathname)) return verbs[method.toLowerCase()];
    }
    return undefined;
  }
}

async function check(answer: Response, { responses }: Operation): Promise<void> {
  const said = responses[String(answer.status)] ?? responses["default"];
  const media = (answer.headers.get("content-type") ?? "").split(";")[0] ?? "";
  if (said?.content === undefined) {
    expect(media).toBe("");
    return;
  }
  expect(Object.keys(said.content)).toContain(media);
  if (!media.endsWith("json")) return;
  const schema = said.content[media]?.schema;
  if (schema === undefined) throw new Error(`no schema for ${media}`);
  expect(z.fromJSONSchema(schema).safeParse(await answer.clone().json()).error?.issues)
    .toBeUndefined();
}
