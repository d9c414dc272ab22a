// Backups, restores, verifications and expiries of one vault at the same time, against a model: the
// tree of each backup's time. A restore gives that tree or says that the backup has expired,
// nothing is ever found damaged, and in the end every backup that is listed is whole.
//
// The seed is printed; CONCURRENT_SEED repeats it, CONCURRENT_JOBS makes a run longer.

import { mkdirSync, rmSync } from "node:fs";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { BackupView, JobRequest, JobView } from "../../agent/control/daemon.ts";
import { SeededRandom } from "../simulation/seeded_random.ts";
import { picture } from "../unit/agent/application/fixture.ts";
import { RandomTree } from "../unit/agent/incremental/random_tree.ts";
import { Bed } from "./bed.ts";
import { callControl } from "./control_call.ts";
import { until } from "./deadline.ts";

/** So many of each kind at least. */
const JOBS = Number(process.env["CONCURRENT_JOBS"] ?? 5);
const SEED = Number(process.env["CONCURRENT_SEED"] ?? Date.now() % 2 ** 31);
const JOB_MS = 60_000;
const TIMEOUT_MS = 240_000 + JOBS * 30_000;
const ENDED = ["ok", "incomplete", "failed", "cancelled"];

describe("jobs on one vault", () => {
  let bed: Bed;
  let tree: RandomTree;
  const random = new SeededRandom(SEED);
  /** The tree of each backup's time. */
  const trees = new Map<string, string>();
  let targets = 0;
  const counts = { backup: 0, restore: 0, expired: 0, verify: 0, expire: 0 };

  beforeAll(async () => {
    bed = await Bed.started({ moreClients: "retention: { keep_last: 3 }\n" });
    mkdirSync(bed.path("tree"));
    tree = new RandomTree(bed.path("tree"), random);
    tree.grow(20);
    await backUp();
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  /** Runs a job to its end. @returns how it ended, refused at once or later */
  async function run(body: JobRequest): Promise<Pick<JobView, "state" | "error" | "summary">> {
    const posted = await callControl(bed.socket("server"), "/v1/jobs", { method: "POST", body });
    if (posted.status >= 300) {
      return { state: "failed", error: JSON.parse(posted.body), summary: null };
    }
    const { job }: JobView = JSON.parse(posted.body);
    return await until(JOB_MS, `the end of ${body.kind}`, async () => {
      const view = await bed.get<JobView>("server", `/v1/jobs/${job}`);
      return ENDED.includes(view.state) ? view : null;
    });
  }

  async function listed(): Promise<string[]> {
    const backups = await bed.get<BackupView[]>("server", "/v1/backups");
    return backups.map(({ backup }) => backup);
  }

  async function backUp(): Promise<void> {
    tree.change(1 + random.below(6));
    const now = picture(tree.root);
    const full = random.chance(0.3);
    const paths = [tree.root];
    const request = {
      kind: "backup-filesystem",
      client: "web01",
      exclude: [],
      paths,
      full,
    } as const;
    const { state, error, summary } = await run(request);
    expect([state, error]).toEqual(["ok", null]);
    trees.set(summary?.backup ?? "", now);
    counts.backup++;
  }

  async function restore(backup: string): Promise<void> {
    const wanted = trees.get(backup);
    const target = bed.path(`restored${++targets}`);
    const fixed = { client: null, include: [], overwrite: "refuse" } as const;
    const { state, error } = await run({ kind: "restore-filesystem", backup, target, ...fixed });
    if (error?.code === "not_found") {
      expect(await listed()).not.toContain(backup);
      trees.delete(backup);
      counts.expired++;
      return;
    }
    expect([state, error]).toEqual(["ok", null]);
    expect(picture(`${target}${tree.root}`)).toBe(wanted ?? "");
    rmSync(target, { recursive: true });
    counts.restore++;
  }

  async function verify(): Promise<void> {
    const { state, error } = await run({ kind: "verify", backups: [], data: true, subset: null });
    expect([state, error]).toEqual(["ok", null]);
    counts.verify++;
  }

  async function expire(): Promise<void> {
    const { state, error } = await run({ kind: "expire", dryRun: false });
    expect([state, error]).toEqual(["ok", null]);
    counts.expire++;
  }

  test(`at the same time keep every backup whole, seed ${SEED}`, async () => {
    let failed = false;
    const isDone = () =>
      Math.min(counts.backup, counts.restore, counts.verify, counts.expire) >= JOBS;
    const again = async (step: () => Promise<void>) => {
      while (!isDone() && !failed) {
        await step().catch((error) => {
          failed = true;
          throw error;
        });
      }
    };
    const choose = () => [...trees.keys()][random.below(trees.size)] ?? "";
    await Promise.all([
      again(backUp),
      again(() => restore(choose())),
      again(() => restore(choose())),
      again(verify),
      again(expire),
    ]);
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    await expire();
    const kept = await listed();
    expect(kept).toEqual([...trees.keys()].slice(-3));
    for (const backup of kept) await restore(backup);
    await verify();
  }, TIMEOUT_MS);
});
