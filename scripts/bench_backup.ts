// The backup benchmark's main program; scripts/bench-backup says what it measures.

import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BackupBed } from "./bench/backup/backup_bed.ts";
import {
  type BackupFigures,
  type PeerName,
  PEERS,
  runName,
} from "./bench/backup/backup_figures.ts";
import {
  BACKUP_GOALS,
  type BackupRounds,
  MILLION,
  MILLION_GOALS,
} from "./bench/backup/backup_goals.ts";
import { MILLION_FILE_BYTES, SMALL_BYTES } from "./bench/backup/limits.ts";
import { backupPlots, backupTable } from "./bench/backup/backup_report.ts";
import { backupRuns } from "./bench/backup/backup_runs.ts";
import { measureMillion } from "./bench/backup/million.ts";
import { measureOneFile } from "./bench/backup/one_file.ts";
import { judge } from "./bench/goals.ts";
import { renderVerdicts } from "./bench/report.ts";
import { failUsage, note, say, scriptOptions, wholeNumber } from "./bench/script_options.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

const USAGE = "Usage: scripts/bench-backup [--files N] [--big N] [--runs N] [--only PEER,…] " +
  "[--parent DIR] [--source] [--cold] [--million | --one] [--json FILE] [--plot DIR]";

const values = scriptOptions(USAGE, Deno.args, {
  files: { type: "string" },
  big: { type: "string" },
  runs: { type: "string", default: "3" },
  only: { type: "string", default: PEERS.join(",") },
  parent: { type: "string", default: tmpdir() },
  source: { type: "boolean", default: false },
  cold: { type: "boolean", default: false },
  million: { type: "boolean", default: false },
  one: { type: "boolean", default: false },
  json: { type: "string" },
  plot: { type: "string" },
});

function peersOf(text: string): PeerName[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !PEERS.some((peer) => peer === name));
  if (unknown === undefined) return PEERS.filter((peer) => names.includes(peer));
  return failUsage(`Cannot use --only: found "${unknown}", need ${PEERS.join(", ")}`);
}

/** 0 leaves the files out. */
function countOf(text: string, name: string): number {
  return text === "0" ? 0 : wholeNumber(text, name);
}

async function measure(bed: BackupBed, files: number, stop: AbortSignal): Promise<BackupRounds> {
  if (values.million) return new Map([[MILLION, [await measureMillion(bed, files, note)]]]);
  if (!values.one) return await measureRounds(bed, stop);
  const runs = wholeNumber(values.runs, "runs");
  return new Map([[runName("agent", "all", "one"), await measureOneFile(bed, runs)]]);
}

async function measureRounds(bed: BackupBed, stop: AbortSignal): Promise<BackupRounds> {
  const rounds = new Map<string, BackupFigures[]>();
  const peers = peersOf(values.only);
  for (let round = 1; round <= wholeNumber(values.runs, "runs"); round++) {
    if (round > 1) await bed.clearTargets();
    for (const { name, run } of backupRuns(bed, peers)) {
      stop.throwIfAborted();
      const found = await run();
      rounds.set(name, [...rounds.get(name) ?? [], found]);
      note(`round ${round} ${name}: ${JSON.stringify(found)}`);
    }
  }
  return rounds;
}

function report(rounds: BackupRounds): void {
  const verdicts = judge(values.million ? MILLION_GOALS : BACKUP_GOALS, rounds);
  if (!values.million && !values.one) say(`${backupTable(rounds)}\n`);
  say(`${renderVerdicts(verdicts)}\nMedians; ratios within each round.\n`);
  if (values.json !== undefined) {
    const summary = { type: "summary", rounds: Object.fromEntries(rounds), goals: verdicts };
    writeFileSync(values.json, `${JSON.stringify(summary, null, 2)}\n`);
  }
  if (values.plot === undefined || values.million || values.one) return;
  mkdirSync(values.plot, { recursive: true });
  for (const [name, svg] of backupPlots(rounds)) writeFileSync(join(values.plot, name), svg);
}

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => stop.abort(new Error("interrupted")));
  }
  const files = countOf(values.files ?? (values.million ? "1000000" : "100000"), "files");
  const big = values.million ? 0 : countOf(values.big ?? (values.one ? "9" : "4"), "big");
  const agent = [values.source ? `${ROOT}/scripts/agent` : `${ROOT}/dist/agent`];
  await using bed = new BackupBed({
    agent,
    parent: values.parent,
    files,
    big,
    isCold: values.cold,
    smallBytes: values.million ? MILLION_FILE_BYTES : SMALL_BYTES,
  });
  note("making the data");
  bed.makeData();
  await bed.agent.prepare();
  report(await measure(bed, files, stop.signal));
  return 0;
}

// Exiting inside would skip the disposal.
Deno.exitCode = await main();
Deno.exit();
