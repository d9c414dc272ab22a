// A restore of so many small files that the client's daemon starts a second thread to write them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Bed } from "./bed.ts";
import { until } from "./deadline.ts";
import { differences } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;
const DIRECTORIES = 60;
const FILES_EACH = 150;

/** Names of threads that run our modules: under Bun, and under Deno. */
const WORKER_NAME = /^(Worker|worker-\d+)$/;

function workersOf(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.map((id) => readFileSync(`/proc/${pid}/task/${id}/comm`, "utf8").trim())
    .filter((name) => WORKER_NAME.test(name));
}

describe("many small files", () => {
  let bed: Bed;

  beforeAll(async () => {
    bed = await Bed.started();
    for (let at = 0; at < DIRECTORIES; at++) {
      const directory = bed.path("tree", `d${at % 10}`, `e${at}`);
      mkdirSync(directory, { recursive: true });
      for (let file = 0; file < FILES_EACH; file++) {
        writeFileSync(`${directory}/${file}`, `${at} ${file}\n`.repeat(file));
      }
    }
  }, TIMEOUT_MS);

  afterAll(() => bed?.[Symbol.asyncDispose]());

  test("come back as they were by two threads, which are kept for the next job", async () => {
    const tree = bed.path("tree");
    await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    const { pid } = bed.daemon("client");
    expect(workersOf(pid).length).toBe(1);
    for (const name of ["once", "again"]) {
      const target = bed.path(name);
      const latest = ["latest", "--client", "web01", "--target", target];
      const summary = await bed.job("server", "restore", ...latest);
      expect(summary).toMatchObject({
        status: "ok",
        files: 1 + 10 + DIRECTORIES * (1 + FILES_EACH),
      });
      expect(await differences(tree, `${target}${tree}`)).toEqual([]);
      expect(workersOf(pid).length).toBe(2);
    }
  }, TIMEOUT_MS);

  test("leave nothing half-written when the restore is cancelled", async () => {
    const target = bed.path("cancelled");
    const ended = bed.json("server", "restore", "latest", "--client", "web01", "--target", target);
    const part = `${target}${bed.path("tree")}/d3`;
    await until(TIMEOUT_MS, "a part of the tree", () => existsSync(part) || null);
    const [job] = (await bed.jobs("server")).filter(({ state }) => state === "running");
    await bed.call(["cancel", job?.job ?? ""], "server");
    expect((await ended).code).not.toBe(0);
    await bed.endedJobs("client");
    expect(readdirSync(target, { recursive: true }).join("\n")).not.toContain(".agent-restore-");
    const { pid } = bed.daemon("client");
    await until(TIMEOUT_MS, "the end of both threads", () => workersOf(pid).length === 0 || null);
  }, TIMEOUT_MS);
});
