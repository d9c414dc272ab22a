// The page for people: files that hold no data, the same for everybody. They are part of the
// program, so that the compiled one has them too.

import type { Hono } from "hono";
import { z } from "zod";
import { AgentError } from "../../transport/ground/error.ts";
import backups from "./page/backups.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import jobs from "./page/jobs.js" with { type: "text" };
import style from "./page/page.css" with { type: "text" };
import html from "./page/page.html" with { type: "text" };
import page from "./page/page.js" with { type: "text" };
import storage from "./page/storage.js" with { type: "text" };
import throughput from "./page/throughput.js" with { type: "text" };
import { answers } from "./route_document.ts";

const SCRIPT = "text/javascript";

const FILES: ReadonlyMap<string, readonly [mediaType: string, text: unknown]> = new Map([
  ["backups.js", [SCRIPT, backups]],
  ["dom.js", [SCRIPT, dom]],
  ["jobs.js", [SCRIPT, jobs]],
  ["page.css", ["text/css", style]],
  ["page.js", [SCRIPT, page]],
  ["storage.js", [SCRIPT, storage]],
  ["throughput.js", [SCRIPT, throughput]],
]);

export function addPage(app: Hono): void {
  app.get(
    "/",
    answers("Page for people", z.string(), { mediaType: "text/html" }),
    (context) => context.html(String(html)),
  );
  app.get(
    "/page/:name",
    answers("A file of the page", z.string(), { mediaType: SCRIPT }, { mediaType: "text/css" }),
    (context) => {
      const name = context.req.param("name");
      const [mediaType, text] = FILES.get(name) ?? [];
      if (mediaType === undefined) throw new AgentError("not_found", `Cannot find file "${name}"`);
      // The browser asks again after an upgrade of the program.
      const headers = {
        "content-type": `${mediaType}; charset=utf-8`,
        "cache-control": "no-cache",
      };
      return context.body(String(text), 200, headers);
    },
  );
}
