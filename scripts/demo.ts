// The demo's main program; scripts/demo says what it shows. Exit code 0 only when both restores
// are identical and the data went through the storage.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import * as acts from "./demonstration/acts.ts";
import { AgentCalls } from "./demonstration/agent_calls.ts";
import { channelProblems, channelTable } from "./demonstration/channel_table.ts";
import { runTool } from "./demonstration/run_tool.ts";
import { headline, say, verdictLine } from "./demonstration/say.ts";
import { chooseSource } from "./demonstration/source_tree.ts";
import { Stage } from "./demonstration/stage.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

const USAGE = "Usage: scripts/demo [--two-hosts] [--binary] [--keep] [DIRECTORY]";

async function hasCommand(name: string): Promise<boolean> {
  return (await runTool([name, "--version"])).code === 0;
}

/** Runs all acts. @returns true when everything is as it must be */
async function perform(stage: Stage, calls: AgentCalls, source: string): Promise<boolean> {
  headline("An array, a storage group, a server and a client");
  await acts.setUp(stage, calls);
  await calls.show("offline", "stg", "status", "stg0", "--config", stage.path("server.yaml"));

  headline("Backup of a directory: the server asks, the data goes through the array");
  const args = ["backup", "filesystem", "--client", acts.CLIENT, source];
  const fileBackup = await calls.runJob("server", "backup-filesystem", ...args);
  headline("Backup of a database while a writer adds rows: the client asks");
  const databaseBackup = await acts.backUpDatabase(stage, calls);
  await calls.show("server", "backups");

  headline("Both restored elsewhere");
  const files = await calls.newestBackup("filesystem");
  const database = await calls.newestBackup("sqlite");
  const fileRestore = await acts.restoreTree(stage, calls, files.backup);
  const databaseRestore = await acts.restoreDatabase(stage, calls, {
    backup: database.backup,
    marks: databaseBackup.marks,
  });

  headline("The connections, step by step: Fig. 4 and 4A, then Fig. 5");
  await calls.show("server", "trace", fileBackup.job);
  await calls.show("client", "trace", databaseBackup.job);

  headline("Bytes per channel");
  say(channelTable([
    { what: "file backup", summary: fileBackup.summary },
    { what: "database backup", summary: databaseBackup.summary },
    { what: "file restore", summary: fileRestore.summary },
    { what: "database restore", summary: databaseRestore.summary },
  ]));

  headline("Verdict");
  const original = await acts.readTreeFacts(source);
  const { objects, bytes } = acts.sizeOfTree(original);
  const size = `${objects.toLocaleString("en-US")} objects, ${(bytes / 1e6).toFixed(1)} MB`;
  const withRsync = await hasCommand("rsync") ? ", also by rsync" : " (rsync is not installed)";
  const { target } = fileRestore;
  const restored = await acts.compareWith(original, { source, copy: target + source });
  const good = [verdictLine(`restored directory identical: ${size}${withRsync}`, restored)];
  if (await hasCommand("zstd")) {
    const folder = await acts.restoreWithStockTools(stage, files.backup);
    const byTar = await acts.compareWith(original, { source, copy: folder + source });
    good.push(verdictLine("the same from the media by zstd and tar alone", byTar));
  }
  const { atLeast, atMost } = databaseBackup.marks;
  const rows = `rows between ${atLeast} and ${atMost}`;
  good.push(verdictLine(`restored database whole: ${rows}`, databaseRestore.problems));
  const channels = { file: fileBackup.summary, database: databaseBackup.summary };
  good.push(verdictLine("the data went through the storage", channelProblems(channels)));
  return good.every(Boolean);
}

/** Reads the arguments. @throws Error for an unknown option */
function readArguments(args: readonly string[]): { names: string[]; options: Set<string> } {
  const options = new Set(args.filter((arg) => arg.startsWith("-")));
  const names = args.filter((arg) => !arg.startsWith("-"));
  const unknown = [...options].find((option) => !["--keep", "--binary"].includes(option));
  if (unknown !== undefined) throw new Error(`Cannot use option "${unknown}"`);
  if (names.length > 1) throw new Error("Cannot back up several directories: name one");
  return { names, options };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

async function main(): Promise<number> {
  if (Deno.args.includes("--help")) {
    say(USAGE);
    return 0;
  }
  const { names, options } = readArguments(Deno.args);
  const [named] = names;
  const source = named === undefined ? await chooseSource(ROOT) : resolve(named);
  if (!isDirectory(source)) throw new Error(`Cannot back up "${source}": it is no directory`);
  const agent = options.has("--binary") ? `${ROOT}/dist/agent` : `${ROOT}/scripts/agent`;
  const stop = new AbortController();
  const interrupt = (): void => stop.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, interrupt);
  }
  const keep = options.has("--keep");
  const stage = new Stage([agent], { keep });
  try {
    const good = await perform(stage, new AgentCalls(stage, stop.signal), source);
    say(good ? "\nEverything is identical." : "\nThere are differences.");
    return good ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    for (const side of ["server", "client"]) say(stage.logOf(side));
    return 1;
  } finally {
    await stage.clear();
    if (keep) {
      say(`Kept: ${stage.folder} (its array: ${agent} array remove ${stage.path("array")})`);
    }
  }
}

try {
  Deno.exit(await main());
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  say(`hint: ${USAGE}`);
  Deno.exit(2);
}
