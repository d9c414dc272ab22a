// Either process, or both, may be killed at any moment of a job: the other one notices, both go on
// without a manual step, and no earlier backup suffers.
//
// Each round picks a job, victims and a moment by a seed, which is printed. CRASH_SEED repeats a
// run, CRASH_ROUNDS makes it longer.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, rmSync, statSync } from "node:fs";
import type { JobView } from "../../agent/control/daemon.ts";
import { Bed } from "./bed.ts";
import { callControl } from "./control_call.ts";
import { chooseAttack, prepare, PublishedContent, SIDES } from "./crash_attacks.ts";
import { pause, until } from "./deadline.ts";
import { differences, makeRandomFiles } from "./odd_tree.ts";
import { makeDatabase, readDatabase } from "./sqlite_writer.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";

const TIMEOUT_MS = 120_000;
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? "6");
const SEED = Number(process.env["CRASH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

/**
 * Milliseconds until the survivor must have given its job up: the bed's dead time, then its tries
 * to tell the peer (2 s) and to hand over what it sent (5 s), and slack.
 */
const NOTICE_MS = 2500 + 2000 + 5000 + 2500;

const MIB = 1024 * 1024;
/** What a media file with a part of a file in it is larger than. */
const CONTENT_BYTES = 64 * 1024;
/** Of the backup that goes on, and what must have come when its first server is killed. */
const LARGE = { count: 8, bytes: 9 * MIB };
const CUT_BYTES = 32 * MIB;
/** What a killed server may have lost of that: its last group, and what came in between. */
const LOST_BYTES = 16 * MIB;

const ENDED = ["ok", "incomplete", "failed", "cancelled"];

/** Mulberry32: numbers from 0 to 1 that a seed repeats. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("killing a process in the middle of a job", () => {
  let bed: Bed;
  let first: string;
  let content: PublishedContent;
  const next = numbers(SEED);
  /** Rounds by who was killed in what. */
  const counts = new Map<string, number>();

  beforeAll(async () => {
    bed = await Bed.started({ moreClients: "retention: { keep_last: 2 }\n" });
    await makeRandomFiles(bed.path("data"), { count: 12, bytes: 4 * 1024 * 1024 });
    makeDatabase(bed.path("app.db"), 24);
    first = (await backup()).backup ?? "";
    await bed.call(["pin", first], "server");
    content = new PublishedContent(bed);
    await content.look(); // Before a round adds to the folder.
  }, TIMEOUT_MS);

  afterAll(async () => {
    const done = [...counts].sort().map(([what, count]) => `${what} ${count}`);
    process.stdout.write(`seed ${SEED}, killed: ${done.join(", ")}\n`);
    await bed?.[Symbol.asyncDispose]();
  });

  function backup(...options: string[]) {
    const args = ["--client", "web01", ...options, bed.path("data")];
    return bed.job("server", "backup", "filesystem", ...args);
  }

  /** Removes what long runs would drown in. */
  async function tidy(round: number): Promise<void> {
    await bed.job("server", "expire");
    for (const name of [`restored${round}`, `any${round}`]) {
      rmSync(bed.path(name), { recursive: true, force: true });
    }
  }

  /** Every job of a daemon has ended. @throws Error that shows those that have not */
  async function quiet(side: string): Promise<JobView[]> {
    let running: JobView[] = [];
    const ended = until(NOTICE_MS, `the end of the jobs of ${side}`, async () => {
      const jobs = await bed.jobs(side);
      running = jobs.filter(({ state }) => !ENDED.includes(state));
      return running.length === 0 ? jobs : null;
    });
    try {
      return await ended;
    } catch (error) {
      const trace = await bed.json(side, "trace", running[0]?.job ?? "");
      throw new Error(`${error}\n${JSON.stringify(running)}\n${trace.stdout}`);
    }
  }

  /** What is published is whole, nothing else lies in the vault, and the array is sound. */
  async function expectSound(): Promise<void> {
    const backups = await content.look();
    const names = readdirSync(bed.path("vault", "media"))
      .filter((name) => name !== `${first}.drilled`);
    // What expired stays, with its mark, while another backup builds on it.
    const needed = names.filter((name) => name.endsWith(".expired")).map((name) =>
      name.slice(0, -".expired".length)
    );
    const marks = [`${first}.pinned`, ...needed.map((backup) => `${backup}.expired`)];
    const media = [...backups.map(({ backup }) => backup), ...needed].map((backup) =>
      `${backup}.tar.zst`
    );
    expect(names.sort()).toEqual([...marks, ...media].sort());
    const verified = await bed.call(["verify", "--data", "--json"], "server");
    expect(`${verified.code}${verified.stderr}`).toBe("0");
    expect(readdirSync(bed.path("vault")).filter((name) => name.includes(".new"))).toEqual([]);
    const checked = await bed.call(["array", "check", bed.path("array")]);
    expect(`${checked.stdout}${checked.stderr}`).toBe("sound\n");
  }

  /** Kills the server in a full backup and starts it; a backup that ended before is made again. */
  async function cutOff(paths: readonly string[]): Promise<void> {
    const body = { kind: "backup-filesystem", client: "web01", paths, full: true, ...EVERYTHING };
    await until(TIMEOUT_MS, "a backup that is under way", async () => {
      const posted = await callControl(bed.socket("server"), "/v1/jobs", { method: "POST", body });
      expect(posted.status).toBeLessThan(300);
      const { job } = JSON.parse(posted.body) as JobView;
      const moved = await until(NOTICE_MS, "data of the backup", async () => {
        const view = await bed.get<JobView>("server", `/v1/jobs/${job}`);
        if (ENDED.includes(view.state)) return "ended";
        return (view.progress?.bytes ?? 0) >= CUT_BYTES ? "enough" : null;
      });
      if (moved === "ended") return null;
      await bed.stop("server", "SIGKILL");
      const media = readdirSync(bed.path("vault", "media"));
      // The client's own job goes on waiting for its server; the next one need not.
      await bed.start("server");
      return media.some((name) => name.endsWith(".partial")) ? true : null;
    });
  }

  /** More than a label and the rows of directories, which the next backup stores again. */
  function holdsContent(name: string): boolean {
    return statSync(bed.path("vault", "media", name)).size >= CONTENT_BYTES;
  }

  for (let round = 1; round <= ROUNDS; round += 1) {
    test(`round ${round} of seed ${SEED}`, async () => {
      const target = bed.path(`restored${round}`);
      const attack = chooseAttack(bed, next, { first, target });
      const { kind, side, request, victims, momentMs } = attack;
      const who = victims.join(" and ");
      const what = `${kind}, ${who} killed after ${momentMs.toFixed(0)} ms`;
      process.stdout.write(`round ${round} of seed ${SEED}: ${what}\n`);
      await prepare(bed, attack, round);
      const body = request;
      const posted = await callControl(bed.socket(side), "/v1/jobs", { method: "POST", body });
      expect(posted.status).toBeLessThan(300);
      await pause(momentMs);
      await Promise.all(victims.map((victim) => bed.stop(victim, "SIGKILL")));
      for (const survivor of SIDES.filter((one) => !victims.includes(one))) {
        const job = (await quiet(survivor)).at(-1);
        expect(["ok", "failed", undefined]).toContain(job?.state);
        if (job?.state === "failed") expect(job.error?.message ?? "").not.toBe("");
      }
      await Promise.all(victims.map((victim) => bed.start(victim)));
      // A new process needs no help: neither the vault's nor the group's state is in the way.
      for (const victim of victims) {
        const { stgs } = await bed.status(victim);
        expect(stgs[0]).toMatchObject({ state: "up", reason: null });
      }
      const isCut = readdirSync(bed.path("vault", "media"))
        .some((name) => name.endsWith(".partial") && holdsContent(name));
      // Those that were published before the kill, or have been since: the folder did not change.
      await content.look();
      const again = kind === "full" ? await backup("--full") : await backup();
      expect(again).toMatchObject({ status: "ok", fallback: null });
      // A server that was killed has lost the rows of what came last, which may be all.
      if (isCut && !victims.includes("server")) expect(again).toHaveProperty("resumed");
      await bed.job("client", "backup", "database", "app");
      await expectSound();
      expect(await content.restoreAny(next, bed.path(`any${round}`))).toBe("nothing");
      expect(readdirSync(bed.folder).filter((name) => name.includes(".snapshot"))).toEqual([]);
      expect(readDatabase(bed.path("app.db")).integrity).toBe("ok");
      await tidy(round);
      counts.set(`${who} in ${kind}`, (counts.get(`${who} in ${kind}`) ?? 0) + 1);
    }, TIMEOUT_MS);
  }

  test("a backup whose server is killed is gone on with, and restores", async () => {
    const large = bed.path("large");
    await makeRandomFiles(large, LARGE);
    await cutOff([large]);
    const { cutBackups } = await bed.status("server");
    expect(cutBackups).toMatchObject([{ client: "web01", paths: [large] }]);

    const args = ["backup", "filesystem", "--full", "--client", "web01", large];
    const { backup, status, bytes, resumed, channels } = await bed.job("server", ...args);
    const total = LARGE.count * LARGE.bytes;
    expect([status, bytes]).toEqual(["ok", total]);
    const kept = resumed?.bytes ?? 0;
    expect(kept).toBeGreaterThan(CUT_BYTES - LOST_BYTES - MIB);
    const sent = channels.storage.bytes + channels.network.bytes;
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(total - kept + MIB);
    expect((await bed.status("server")).cutBackups).toEqual([]);

    const target = bed.path("goneon");
    await bed.job("server", "restore", backup ?? "", "--target", target);
    expect(await differences(large, `${target}${large}`)).toEqual([]);
  }, TIMEOUT_MS);
});
