// The demo's acts in order: set up, back up, restore, compare. Each gives plain results; the main
// program prints them and decides.

import { writeFileSync } from "node:fs";
import type { AgentCalls, DoneJob } from "./agent_calls.ts";
import { compareTrees, sizeOfTree } from "./compare_trees.ts";
import { CLIENT, clientConfiguration, DATABASE, serverConfiguration } from "./configurations.ts";
import { freePorts } from "./free_ports.ts";
import { checkLedger, Ledger } from "./ledger.ts";
import { needTool, runTool } from "./run_tool.ts";
import type { Stage } from "./stage.ts";
import { readTreeFacts, type TreeFacts } from "./tree_facts.ts";
import { waitReady } from "./wait_ready.ts";

/** Size of the database before the load starts; the file is larger than its payloads. */
const LEDGER_BYTES = 24_000_000;

/** Rows that the writer must have added before the backup starts: proof of its load. */
const LOAD_ROWS = 100;

/** Rows that the database had when the backup began and when it had ended. */
export interface Marks {
  readonly atLeast: number;
  readonly atMost: number;
}

/** Makes configurations, array, group and database, and starts both daemons. */
export async function setUp(stage: Stage, calls: AgentCalls): Promise<void> {
  Ledger.create(stage.path("app.db"), LEDGER_BYTES)[Symbol.dispose]();
  await startAgents(stage, calls);
}

/** Makes configurations, array and group, and starts both daemons. */
export async function startAgents(stage: Stage, calls: AgentCalls): Promise<void> {
  const port = await freePorts(4);
  const ports = { server: port, client: port + 2 };
  writeFileSync(stage.path("server.yaml"), serverConfiguration(ports));
  writeFileSync(stage.path("client.yaml"), clientConfiguration(ports));
  const array = stage.path("array");
  stage.registerArray(array);
  await calls.offline("array", "create", array, "--volumes", "2", "--size", "256MiB");
  await calls.offline("stg", "format", "stg0", "--config", stage.path("server.yaml"));
  for (const side of ["server", "client"] as const) {
    stage.startDaemon(side, { role: side, config: stage.path(`${side}.yaml`) });
  }
  for (const side of ["server", "client"] as const) {
    await waitReady(stage.path(`${side}.sock`), () => stage.assertRunning(side));
  }
}

function countRows(stage: Stage): number {
  using ledger = Ledger.open(stage.path("app.db"));
  return ledger.count();
}

/** Waits until the writer has added rows, so that the backup runs under load. */
async function waitForLoad(stage: Stage): Promise<void> {
  const start = countRows(stage);
  while (countRows(stage) < start + LOAD_ROWS) {
    stage.assertRunning("writer");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Backs the database up while a writer adds rows to it. */
export async function backUpDatabase(
  stage: Stage,
  calls: AgentCalls,
): Promise<DoneJob & { readonly marks: Marks }> {
  const script = new URL("./ledger_writer.ts", import.meta.url).pathname;
  const runtime = [process.execPath, "run", "-A", "--quiet", "--no-check"];
  stage.start("writer", [...runtime, script, stage.path("app.db")]);
  await waitForLoad(stage);
  const atLeast = countRows(stage);
  const done = await calls.runJob("client", "backup-database", "backup", "database", DATABASE);
  const atMost = countRows(stage);
  stage.assertRunning("writer");
  await stage.stop("writer");
  return { ...done, marks: { atLeast, atMost } };
}

/** Restores a file backup into an empty folder. */
export async function restoreTree(
  stage: Stage,
  calls: AgentCalls,
  backup: string,
): Promise<DoneJob & { readonly target: string }> {
  const target = stage.makeFolder("restored");
  const args = ["restore", backup, "--target", target];
  return { ...await calls.runJob("server", "restore-filesystem", ...args), target };
}

/** Restores the database elsewhere and says what is wrong with it. */
export async function restoreDatabase(
  stage: Stage,
  calls: AgentCalls,
  options: { readonly backup: string; readonly marks: Marks },
): Promise<DoneJob & { readonly problems: readonly string[] }> {
  const target = stage.makeFolder("restored-database");
  const args = ["restore", options.backup, "--database", DATABASE, "--target", target];
  const done = await calls.runJob("client", "restore-database", ...args);
  const found = await needTool(["find", target, "-type", "f", "-name", "*.db"]);
  const [file = "", ...others] = new TextDecoder().decode(found).trim().split("\n");
  const problems = others.length > 0 || file === ""
    ? [`need one *.db file below ${target}, found ${file === "" ? 0 : others.length + 1}`]
    : checkLedger(file, options.marks);
  return { ...done, problems };
}

/** Restores a media file with nothing but zstd and tar. */
export async function restoreWithStockTools(stage: Stage, backup: string): Promise<string> {
  const target = stage.makeFolder("restored-by-tar");
  const media = stage.path("vault", "media", `${backup}.tar.zst`);
  const script = 'zstd -dc -- "$1" | ' +
    "tar --xattrs --xattrs-include='*' --acls --numeric-owner -xpf - -C \"$2\"";
  await needTool(["sh", "-c", script, "sh", media, target]);
  return target;
}

/** Differences by our own walk and, where it is installed, by rsync. */
export async function compareWith(
  original: TreeFacts,
  folders: { readonly source: string; readonly copy: string },
): Promise<string[]> {
  const differences = compareTrees(original, await readTreeFacts(folders.copy));
  const { code, stdout, stderr } = await runTool([
    "rsync",
    "-aHAXn",
    "--checksum",
    "--delete",
    "--itemize-changes",
    `${folders.source}/`,
    `${folders.copy}/`,
  ]);
  if (code === 127) return differences;
  const lines = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  if (code !== 0) lines.push(`ended with ${code}: ${stderr.trim()}`);
  return [...differences, ...lines.map((line) => `rsync: ${line}`)];
}

export { CLIENT, readTreeFacts, sizeOfTree };
