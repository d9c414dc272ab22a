// The acts of the two-host demo: back up through the LUN and over the LAN, cut the LAN in the
// middle of a database backup, take the LUN away in that of a file backup. Each gives plain
// results; the main program prints them and decides.

import type { JobKind } from "../../../agent/control/daemon.ts";
import { compareWith, readTreeFacts } from "../acts.ts";
import type { Side } from "../agent_calls.ts";
import { CLIENT, DATABASE } from "../configurations.ts";
import { checkLedger, Ledger } from "../ledger.ts";
import { needTool } from "../run_tool.ts";
import { say } from "../say.ts";
import type { LanRow } from "./lan_table.ts";
import type { TwoHostStage } from "./two_host_stage.ts";
import { lookAtJob, waitMoving } from "./wait_moving.ts";

/** Files of random bytes: what is compressed away moves on no channel. */
const RANDOM_FILES = 40;
const RANDOM_FILE_BYTES = 16 * 1024 ** 2;
export const RANDOM_BYTES = RANDOM_FILES * RANDOM_FILE_BYTES;

/** Size of the database, and bytes of a job after which it is in its middle. */
const LEDGER_BYTES = 600_000_000;
const MIDDLE_BYTES = 16_000_000;

/** A job with what the LAN carried meanwhile, and what went wrong. */
export interface Act extends LanRow {
  readonly problems: readonly string[];
}

interface Call {
  readonly what: string;
  readonly side: Side;
  readonly kind: JobKind;
  readonly args: readonly string[];
}

/** Runs a job between two looks at the counters of the LAN. */
async function watchLan(two: TwoHostStage, call: Call): Promise<LanRow> {
  const before = await two.pair.lanBytes();
  const { summary } = await two.calls.runJob(call.side, call.kind, ...call.args);
  return { what: call.what, summary, lanBytes: await two.pair.lanBytes() - before };
}

function fileBackup(what: string, side: Side, path: string): Call {
  const args = ["backup", "filesystem", "--full", "--client", CLIENT, path];
  return { what, side, kind: "backup-filesystem", args };
}

/** Makes the random files; gives their folder. */
export async function makeRandomFiles({ stage }: TwoHostStage): Promise<string> {
  const folder = stage.makeFolder("random");
  const script = 'i=0; while [ $i -lt "$1" ]; do head -c "$2" /dev/urandom > r$i || exit 1; ' +
    "i=$((i+1)); done";
  const sizes = [String(RANDOM_FILES), String(RANDOM_FILE_BYTES)];
  await needTool(["sh", "-c", script, "sh", ...sizes], { cwd: folder });
  return folder;
}

/** Backs a tree up by either server. */
export function backUpTree(
  two: TwoHostStage,
  options: { readonly what: string; readonly side: Side; readonly path: string },
): Promise<LanRow> {
  return watchLan(two, fileBackup(options.what, options.side, options.path));
}

/** The same without showing anything; the backup before it expires. */
export async function quietBackup(
  two: TwoHostStage,
  options: { readonly what: string; readonly side: Side; readonly path: string },
): Promise<LanRow> {
  const { what, side, path } = options;
  const before = await two.pair.lanBytes();
  const summary = await two.calls.job(side, ...fileBackup(what, side, path).args);
  const lanBytes = await two.pair.lanBytes() - before;
  await two.calls.lines(side, "expire");
  return { what, summary, lanBytes };
}

/** Restores the newest file backup elsewhere and compares it with `source`. */
export async function restoreTree(
  two: TwoHostStage,
  options: { readonly what: string; readonly source: string },
): Promise<Act> {
  const { what, source } = options;
  const target = two.stage.makeFolder(`restored ${what}`);
  const { backup } = await two.calls.newestBackup("filesystem");
  const args = ["restore", backup, "--target", target];
  const row = await watchLan(two, { what, side: "server", kind: "restore-filesystem", args });
  const original = await readTreeFacts(source);
  const problems = await compareWith(original, { source, copy: target + source });
  await needTool(["rm", "-rf", target]);
  return { ...row, problems };
}

/** Lets `event` happen in the middle of a job; says it if the job had ended before. */
async function inMidJob(
  two: TwoHostStage,
  call: Call,
  event: { readonly name: string; happen(): Promise<void> | void },
): Promise<Act> {
  const running = watchLan(two, call);
  running.catch(() => {}); // Taken below.
  const socket = two.stage.path(`${call.side}.sock`);
  const { job, progress } = await waitMoving(socket, MIDDLE_BYTES);
  await event.happen();
  const state = (await lookAtJob(socket, job))?.state;
  const megabytes = ((progress?.bytes ?? 0) / 1e6).toFixed(0);
  say(`\n⚡ ${event.name} after ${megabytes} MB`);
  const row = await running;
  const problems = state === "running" ? [] : [`the job was ${state} when this happened`];
  return { ...row, problems };
}

/** Cuts the LAN in the middle of a database backup, and mends it when the job has ended. */
export async function cutLanInBackup(two: TwoHostStage): Promise<Act> {
  const { stage, pair } = two;
  Ledger.create(stage.path("app.db"), LEDGER_BYTES)[Symbol.dispose]();
  const args = ["backup", "database", DATABASE];
  const what = "database, LAN cut";
  const call: Call = { what, side: "client", kind: "backup-database", args };
  const happen = (): Promise<void> => pair.cutLan();
  const act = await inMidJob(two, call, { name: "The LAN is cut", happen });
  say("\nThe backup has ended; the LAN is mended.");
  await pair.mendLan();
  return act;
}

/** Restores that database elsewhere and checks every row. */
export async function restoreLedger(two: TwoHostStage): Promise<Act> {
  const { stage, calls } = two;
  const { backup } = await calls.newestBackup("sqlite");
  const target = stage.makeFolder("restored-database");
  const args = ["restore", backup, "--database", DATABASE, "--target", target];
  const what = "restore of the database";
  const row = await watchLan(two, { what, side: "client", kind: "restore-database", args });
  using ledger = Ledger.open(stage.path("app.db"));
  const rows = ledger.count();
  const problems = checkLedger(`${target}/app.db`, { atLeast: rows, atMost: rows });
  return { ...row, problems };
}

/** Takes the LUN away in the middle of a file backup. */
export async function loseLunInBackup(two: TwoHostStage, path: string): Promise<Act> {
  const happen = (): void => two.lun.takeAway();
  const call = fileBackup("files, LUN taken away", "server", path);
  const act = await inMidJob(two, call, { name: "The LUN is taken away", happen });
  const { network, storage } = act.summary.channels;
  const problems = [...act.problems];
  if (act.summary.fallback === null) problems.push("the job tells no reason of a fallback");
  if (storage.bytes === 0 || network.bytes < MIDDLE_BYTES) {
    problems.push(`${network.bytes} bytes on the network, ${storage.bytes} through the storage`);
  }
  return { ...act, problems };
}
