// The benchmark of PostgreSQL's backups; scripts/bench-postgresql says what it measures.

import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { judge, type Rounds } from "./bench/goals.ts";
import { measureCommand } from "./bench/backup/measure_command.ts";
import { cpuSecondsOf } from "./bench/backup/process_cost.ts";
import { median } from "./bench/median.ts";
import { asServer, Cluster, SERVER_USER } from "./bench/postgresql/cluster.ts";
import {
  POSTGRES_GOALS,
  POSTGRES_PEERS,
  type PostgresFigure,
  type PostgresPeer,
} from "./bench/postgresql/postgresql_goals.ts";
import { renderVerdicts } from "./bench/report.ts";
import { failUsage, note, say, scriptOptions, wholeNumber } from "./bench/script_options.ts";
import { startAgents } from "./demonstration/acts.ts";
import { AgentCalls } from "./demonstration/agent_calls.ts";
import { runTool } from "./demonstration/run_tool.ts";
import { Stage } from "./demonstration/stage.ts";
import { waitReady } from "./demonstration/wait_ready.ts";

type Figures = { readonly [figure in PostgresFigure]?: number };

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const SIDES = ["server", "client"] as const;

/** Between two looks at what waits for its archiving, in ms. */
const LOOK_MS = 250;

const USAGE = "Usage: scripts/bench-postgresql [--scale N] [--runs N] [--wal SECONDS] " +
  "[--only PEER,…] [--parent DIR] [--source] [--json FILE]";

const values = scriptOptions(USAGE, Deno.args, {
  scale: { type: "string", default: "100" },
  runs: { type: "string", default: "3" },
  wal: { type: "string", default: "120" },
  only: { type: "string", default: POSTGRES_PEERS.join(",") },
  parent: { type: "string", default: tmpdir() },
  source: { type: "boolean", default: false },
  json: { type: "string" },
});

function peersOf(text: string): PostgresPeer[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !POSTGRES_PEERS.some((peer) => peer === name));
  if (unknown === undefined) return POSTGRES_PEERS.filter((peer) => names.includes(peer));
  return failUsage(`Cannot use --only: found "${unknown}", need ${POSTGRES_PEERS.join(", ")}`);
}

/** The cluster, both daemons, and what each contestant does. */
class Bench {
  readonly stage: Stage;
  readonly cluster: Cluster;

  constructor() {
    const agent = [values.source ? `${ROOT}/scripts/agent` : `${ROOT}/dist/agent`];
    this.stage = new Stage(agent, { keep: false, parent: values.parent });
    chmodSync(this.stage.folder, 0o755);
    this.cluster = new Cluster(this.stage.folder);
  }

  async prepare(scale: number): Promise<void> {
    const { stage, cluster } = this;
    note("making the cluster");
    await cluster.make(scale);
    await startAgents(stage, new AgentCalls(stage, new AbortController().signal));
    const { data, socket } = cluster;
    const keys = `  pg: { kind: postgresql, data: ${data}, socket: ${socket} }\n` +
      `wal_socket: { path: ${socket}/wal.sock, user: ${SERVER_USER} }\n`;
    writeFileSync(stage.path("client.yaml"), keys, { flag: "a" });
    await stage.stop("client");
    stage.startDaemon("client", { role: "client", config: "client.yaml" });
    await waitReady(stage.path("client.sock"), () => stage.assertRunning("client"));
    this.#preparePgBackRest();
  }

  async run(peer: PostgresPeer, bytes: number): Promise<Figures> {
    const { seconds, cpuSeconds } = await this.#measure(peer);
    return { seconds, cpuSeconds, speed: bytes / seconds };
  }

  #measure(peer: PostgresPeer): Promise<{ seconds: number; cpuSeconds: number }> {
    const { stage, cluster } = this;
    if (peer === "agent") return this.#measureAgent();
    if (peer === "pgbackrest") return measureCommand(stage.folder, this.#pgBackRest("backup"));
    const stream = `pg_basebackup -h ${cluster.socket} -c fast -D - -Ft -X fetch`;
    const file = stage.path("repository", "base.tar.zst");
    const pipe = `set -o pipefail; ${stream} | zstd -q -3 -T0 -f -o ${file}`;
    return measureCommand(stage.folder, asServer(["bash", "-c", pipe]), "/");
  }

  async #measureAgent(): Promise<{ seconds: number; cpuSeconds: number }> {
    const pids = SIDES.map((side) => this.stage.pidOf(side));
    const before = pids.map(cpuSecondsOf);
    const control = ["--control", `unix:${this.stage.path("client.sock")}`];
    const command = [...this.stage.agent, "backup", "database", "pg", "--json", ...control];
    const { seconds, cpuSeconds } = await measureCommand(this.stage.folder, command);
    const used = pids.map((pid, index) => cpuSecondsOf(pid) - (before[index] ?? NaN));
    return { seconds, cpuSeconds: used.reduce((sum, one) => sum + one, cpuSeconds) };
  }

  #preparePgBackRest(): void {
    const repository = this.stage.makeFolder("repository");
    execFileSync("chown", [SERVER_USER, repository]);
    writeFileSync(
      this.stage.path("pgbackrest.conf"),
      `[global]
repo1-path=${repository}
log-path=${repository}
lock-path=${repository}
spool-path=${repository}
compress-type=zst
compress-level=3
process-max=1
start-fast=y
archive-check=n
repo1-retention-full=1
log-level-console=warn
[bench]
pg1-path=${this.cluster.data}
pg1-socket-path=${this.cluster.socket}
`,
    );
  }

  #pgBackRest(what: "backup" | "stanza-create"): readonly string[] {
    const how = what === "backup" ? ["--type=full"] : [];
    const config = `--config=${this.stage.path("pgbackrest.conf")}`;
    return asServer(["pgbackrest", config, "--stanza=bench", ...how, what]);
  }

  /** Makes pgBackRest's repository. */
  async makeRepository(): Promise<void> {
    const { code, stderr } = await runTool(this.#pgBackRest("stanza-create"), { cwd: "/" });
    if (code !== 0) throw new Error(`pgbackrest ended with ${code}: ${stderr.trim()}`);
  }

  /** pgbench writes for so long while the agent archives the log. */
  async archive(seconds: number): Promise<Figures> {
    const { cluster, stage } = this;
    const program = stage.agent.map((word) => word.replaceAll("'", "")).join(" ");
    const push = `${program} wal push %p --database pg --control unix:${cluster.socket}/wal.sock`;
    cluster.configure(`archive_command = '${push}'\n`);
    await cluster.reload();
    await this.#settle(seconds);
    const archived = () => this.#archived();
    const before = await archived();
    let [most, running] = [0, true];
    const load = cluster.tool(
      "pgbench",
      ...["-n", "-c", "4", "-j", "2", "-T", String(seconds), "-h", cluster.socket, "postgres"],
    ).finally(() => running = false);
    while (running) {
      most = Math.max(most, cluster.waiting());
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const said = await load;
    const left = cluster.waiting();
    note(said.split("\n").filter((line) => /tps|latency/.test(line)).join("; "));
    const segments = await archived() - before;
    return { segments, most, left, fetched: await this.#fetch() };
  }

  /** Fetches what is archived as a recovery does. @returns segments per second */
  async #fetch(): Promise<number> {
    const { stage, cluster } = this;
    const kept = readdirSync(stage.path("vault", "wal"), { recursive: true, encoding: "utf8" })
      .map((path) => /([0-9A-F]{24})\.zst$/.exec(path)?.[1] ?? "").filter((name) => name !== "")
      .sort();
    const control = ["--database", "pg", "--control", `unix:${cluster.socket}/wal.sock`];
    const place = stage.path("repository", "segment");
    const startMs = performance.now();
    for (const name of kept) {
      const { code, stderr } = await runTool([
        ...stage.agent,
        "wal",
        "get",
        name,
        place,
        ...control,
      ]);
      if (code !== 0) throw new Error(`wal get ended with ${code}: ${stderr.trim()}`);
    }
    return kept.length / ((performance.now() - startMs) / 1000);
  }

  /** Waits until what waited for the new command is archived. */
  async #settle(seconds: number): Promise<void> {
    for (let looks = 0; this.cluster.waiting() > 0; looks += 1) {
      if (looks * LOOK_MS > seconds * 1000) throw new Error("the log is not archived");
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  async #archived(): Promise<number> {
    const query = "SELECT archived_count FROM pg_stat_archiver";
    const how = ["-X", "-A", "-t", "-h", this.cluster.socket, "-d", "postgres", "-c", query];
    return Number(await this.cluster.tool("psql", ...how));
  }

  /** Bytes of the data directory. */
  async bytes(): Promise<number> {
    const { stdout } = await runTool(["du", "-sb", this.cluster.data]);
    return Number.parseInt(new TextDecoder().decode(stdout));
  }

  async clear(): Promise<void> {
    await this.cluster[Symbol.asyncDispose]();
    await this.stage.clear();
  }
}

async function measure(bench: Bench): Promise<Rounds<PostgresFigure>> {
  const rounds = new Map<string, Figures[]>();
  const add = (name: string, figures: Figures) => {
    rounds.set(name, [...rounds.get(name) ?? [], figures]);
    note(`${name}: ${JSON.stringify(figures)}`);
  };
  const peers = peersOf(values.only);
  if (peers.includes("pgbackrest")) await bench.makeRepository();
  for (let round = 1; round <= wholeNumber(values.runs, "runs"); round += 1) {
    for (const peer of peers) add(peer, await bench.run(peer, await bench.bytes()));
  }
  if (values.wal !== "0") add("wal", await bench.archive(wholeNumber(values.wal, "wal")));
  return rounds;
}

function table(rounds: Rounds<PostgresFigure>): string {
  const lines = POSTGRES_PEERS.flatMap((peer) => {
    const figures = rounds.get(peer) ?? [];
    if (figures.length === 0) return [];
    const of = (name: PostgresFigure) => median(figures.flatMap((one) => one[name] ?? []));
    const speed = `${(of("speed") / 1e6).toFixed(0)} MB/s`;
    return [
      `${peer.padEnd(15)} ${of("seconds").toFixed(1)} s  ${speed}  CPU ${
        of("cpuSeconds").toFixed(1)
      } s`,
    ];
  });
  const wal = rounds.get("wal")?.[0];
  if (wal !== undefined) {
    const fetched = wal.fetched?.toFixed(1);
    lines.push(
      `log: ${wal.segments} segments, at most ${wal.most} waited, ${wal.left} at the end; ` +
        `wal get: ${fetched} segments/s`,
    );
  }
  return lines.join("\n");
}

async function main(): Promise<void> {
  if (Deno.uid() !== 0) failUsage("Cannot run a server as another user: need root");
  const bench = new Bench();
  try {
    await bench.prepare(wholeNumber(values.scale, "scale"));
    const rounds = await measure(bench);
    const verdicts = judge(POSTGRES_GOALS, rounds);
    say(`${table(rounds)}\n\n${renderVerdicts(verdicts)}\nMedians; ratios within each round.\n`);
    if (values.json !== undefined) {
      const summary = { type: "summary", rounds: Object.fromEntries(rounds), goals: verdicts };
      writeFileSync(values.json, `${JSON.stringify(summary, null, 2)}\n`);
    }
  } finally {
    await bench.clear();
  }
}

await main();
Deno.exit();
