// What the documentation promises in figures of time, of real daemons: how soon they answer while a
// job runs, and what they cost while there is nothing to do. The gate runs nothing beside it.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Bed, type BedOptions } from "./bed.ts";
import { DEFAULT_TIMES } from "./bed_config.ts";
import { callControl } from "./control_call.ts";
import { pause } from "./deadline.ts";
import { makeRandomFiles } from "./odd_tree.ts";
import { Program } from "./program.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;

/** Length of a look at an idle daemon, ms, and ticks per second of /proc/PID/stat. */
const IDLE_MS = 8_000;
const TICKS_PER_SECOND = 100;

/** Milliseconds: after a job the engines go on to collect garbage, and to compile what beats run. */
const REST_MS_MAX = 64_000;

/** Share of a core while idle, and ms of `GET /healthz` under load. */
const IDLE_SHARE_MAX = 0.01;
const HEALTH_P99_MS = 50;

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Both daemons, and files of 8 MiB. */
async function startWithData(count: number, options: BedOptions = {}): Promise<Bed> {
  const bed = await Bed.started(options);
  await makeRandomFiles(bed.path("data"), { count, bytes: 8 * MIB });
  return bed;
}

function args(bed: Bed): string[] {
  const control = ["--control", `unix:${bed.socket("server")}`];
  return ["backup", "filesystem", "--client", "web01", bed.path("data"), "--json", ...control];
}

describe("figures", () => {
  test("GET /healthz answers within 50 ms (p99) while a backup runs", async () => {
    await using bed = await startWithData(60);
    await using command = new Program(args(bed));
    await bed.moving("server");
    const took: number[] = [];
    while (!command.hasEnded) {
      for (const side of ["server", "client"]) {
        const { status, milliseconds } = await callControl(bed.socket(side), "/healthz");
        expect(status).toBe(200);
        took.push(milliseconds);
      }
      await pause(5);
    }
    took.sort((a, b) => a - b);
    expect(took.length).toBeGreaterThan(50);
    expect(took[Math.floor(took.length * 0.99)]).toBeLessThan(HEALTH_P99_MS);
  }, TIMEOUT_MS);

  test("a daemon with nothing to do comes to rest: less than 1 % of a core", async () => {
    // The bed's own times beat four times as often.
    await using bed = await startWithData(1, { times: DEFAULT_TIMES });
    // After a job, for what a job leaves behind must not spin either.
    await bed.job("server", ...args(bed).slice(0, 5));
    const sides = ["server", "client"];
    const shares = await Promise.all(sides.map((side) => restingShare(side, bed.daemon(side).pid)));
    for (const share of shares) expect(share).toBeLessThan(IDLE_SHARE_MAX);
  }, TIMEOUT_MS);
});

/** Share of a core in the first look that is below the bound, or in the last one. */
async function restingShare(side: string, pid: number): Promise<number> {
  for (let restMs = REST_MS_MAX;; restMs -= IDLE_MS) {
    const before = cpuSeconds(pid);
    await pause(IDLE_MS);
    const share = (cpuSeconds(pid) - before) / (IDLE_MS / 1000);
    process.stdout.write(`${side} idle: ${(share * 100).toFixed(2)} % of a core\n`);
    if (share < IDLE_SHARE_MAX || restMs <= IDLE_MS) return share;
  }
}
