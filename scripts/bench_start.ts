// Size of the binary, time from its start to READY=1, and resident memory of the idle daemon: a
// server with an empty vault and no shared storage, so that the program alone is measured.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { median } from "./bench/median.ts";
import { freePorts } from "./demonstration/free_ports.ts";

const BINARY = process.env["AGENT_BINARY"] ||
  fileURLToPath(new URL("../dist/agent", import.meta.url).href);

/** Goals: a restart is not felt, and a daemon that waits is small. */
const READY_MS_MAX = 300;
const IDLE_MIB_MAX = 80;

const DEFAULT_RUNS = 5;

/** ms after which a daemon that was just started is at rest. */
const REST_MS = 3000;
const MIB = 1024 * 1024;

interface Figures {
  readonly readyMs: number;
  readonly idleMib: number;
}

async function measure(folder: string): Promise<Figures> {
  const port = await freePorts(1);
  const config = join(folder, "server.yaml");
  writeFileSync(
    config,
    `name: bench\nnetwork: { port: ${port} }\ncontrol: unix:c.sock\nvault: vault\n`,
  );
  const startMs = performance.now();
  const daemon = spawn(BINARY, ["--role", "server", "--config", config], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(daemon, "exit");
  try {
    const readyMs = await new Promise<number>((resolve, reject) => {
      let log = "";
      daemon.stderr.setEncoding("utf8").on("data", (text: string) => {
        log += text;
        if (log.includes("is ready")) resolve(performance.now() - startMs);
      });
      daemon.once("exit", () => reject(new Error(`${BINARY} ended: ${log}`)));
    });
    await new Promise((resolve) => setTimeout(resolve, REST_MS));
    return { readyMs, idleMib: residentMib(daemon.pid ?? 0) };
  } finally {
    daemon.kill("SIGTERM");
    await ended;
  }
}

function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
}

function say(what: string, value: number, goal: number | null, unit: string): void {
  const verdict = goal === null
    ? ""
    : `  goal ${goal} ${unit}: ${value <= goal ? "met" : "MISSED"}`;
  process.stdout.write(`${what.padEnd(22)} ${value.toFixed(1).padStart(8)} ${unit}${verdict}\n`);
}

const { values } = parseArgs({ options: { runs: { type: "string" } } });
const runs = Number(values.runs ?? DEFAULT_RUNS);
const figures: Figures[] = [];
for (let run = 0; run < runs; run++) {
  const folder = mkdtempSync(join(tmpdir(), "agent-start-"));
  try {
    figures.push(await measure(folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
say("size of the binary", statSync(BINARY).size / MIB, null, "MiB");
say("start to ready", median(figures.map(({ readyMs }) => readyMs)), READY_MS_MAX, "ms");
say("resident while idle", median(figures.map(({ idleMib }) => idleMib)), IDLE_MIB_MAX, "MiB");
