// Database jobs over the network whose hosts vanish from each other in mid-job: each side notices.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import type { DatabaseEntry } from "../../agent/config/mod.ts";
import { NETWORK_MOMENT_MS } from "../../agent/job/limits.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { clockThat } from "./clock_that.ts";
import { DatabaseBed } from "./database_bed.ts";
import type { JobOutcome } from "./job_bed.ts";
import { SilentNetwork } from "./silent_network.ts";

const LIMIT_MS = 60_000;
const BACKUP = "web01-20260101T000000Z-aaaaaa";
const RESTORE = {
  type: "restore",
  backup: BACKUP,
  target: null,
  tablespaces: [],
  recovery: null,
} as const;

let bed: DatabaseBed;
let network: SilentNetwork;

beforeEach(async () => {
  bed = await DatabaseBed.open();
  network = new SilentNetwork();
  bed.channel = "network-only";
  bed.network = network;
  // Once nothing arrives the moments of the watch go by quickly.
  const clock = clockThat((ms) => ms === NETWORK_MOMENT_MS && network.isSilent ? 5 : ms);
  bed.clocks = [clock, clock];
});

afterEach(async () => {
  network[Symbol.dispose]();
  await bed[Symbol.asyncDispose]();
});

/** A program that says so when it runs, and then takes for ever. */
const STAYING = "touch running; exec sleep 1000";

function database(scripts: { backup: string; restore: string }): DatabaseEntry {
  const words = (script: string) => ["sh", "-c", `cd ${bed.folder} && ${script}`];
  const { backup, restore } = scripts;
  const commands = { backup: words(backup), restore: words(restore) };
  return { name: "erp", kind: "command", ...commands, streams: 1, pipes: null };
}

async function running(): Promise<void> {
  while (!existsSync(bed.path("running"))) await runtime.clock.sleep(5);
  rmSync(bed.path("running"));
}

const codeOf = ({ error }: JobOutcome) => (error as { code?: string } | null)?.code;

describe("a database job over a network that falls silent", () => {
  test("ends on both sides of a backup", async () => {
    const ended = bed.run(database({ backup: STAYING, restore: "true" }), { type: "backup" });
    await running();
    network.isSilent = true;
    const outcomes = await ended;
    expect(outcomes.map(codeOf)).toEqual(["unreachable", "unreachable"]);
    expect(outcomes[0].error?.message).toContain("said nothing over the network");
    expect(bed.backups()).toEqual([]);
  }, LIMIT_MS);

  test("ends on the server that awaits what a restore comes to", async () => {
    const entry = database({ backup: "echo data", restore: `cat > back; ${STAYING}` });
    const made = await bed.run(entry, { type: "backup" });
    expect(made.map(({ error }) => error)).toEqual([null, null]);
    const ended = bed.run(entry, RESTORE);
    await running();
    network.isSilent = true;
    await bed.ended("server");
    bed.cancel("client");
    expect((await ended).map(codeOf)).toEqual(["unreachable", "cancelled"]);
  }, LIMIT_MS);
});
