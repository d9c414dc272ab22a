// Long random campaigns, as data; scripts/soak says how to call it.

import { parseArgs } from "node:util";
import { runTool } from "./demonstration/run_tool.ts";

interface Campaign {
  readonly about: string;
  /** Test file that one run executes. */
  readonly file: string;
  /** True: what it prints is said also when it does not fail. */
  readonly hasFigures?: boolean;
  /** Environment of one run. */
  env(seed: number): Readonly<Record<string, string>>;
}

/** A campaign whose runs are so short that one process does them all. */
interface Program {
  readonly about: string;
  /** Takes --seeds N and --from S, and options of its own. */
  readonly program: string;
}

const CAMPAIGNS: Readonly<Record<string, Campaign | Program>> = {
  stp: {
    about: "storage sockets on simulated volumes and clock [--faults a,b] [--trace]",
    program: "tests/simulation/run_seeds.ts",
  },
  array: {
    about: "processes that share an array write and verify; one after the other is killed",
    file: "tests/unit/emulator/array_campaign.test.ts",
    env: (seed) => ({ ARRAY_SEED: String(seed), ARRAY_KILLS: "50" }),
  },
  model: {
    about: "random reads, writes, crashes, attachments and power failures against a model",
    file: "tests/unit/emulator/array_model.test.ts",
    env: (seed) => ({ ARRAY_SEED: String(seed) }),
  },
  damage: {
    about: "any word of the array's tables is damaged, found and repaired",
    file: "tests/unit/emulator/array_damage.test.ts",
    env: (seed) => ({ ARRAY_SEED: String(seed), ARRAY_ROUNDS: "100" }),
  },
  kill: {
    about: "processes that share the array are killed between any two stores",
    file: "tests/unit/emulator/array_kill_points.test.ts",
    env: (seed) => ({ ARRAY_SEED: String(seed) }),
  },
  vault: {
    about: "the disk of a vault is filled to any position, and jobs run on it",
    file: "tests/unit/agent/vault/full_vault.test.ts",
    hasFigures: true,
    env: (seed) => ({ VAULT_SEED: String(seed), VAULT_POSITIONS: "40" }),
  },
  full: {
    about: "the disk below an array becomes full in a backup, at any moment",
    file: "tests/jobs/full_array.test.ts",
    env: (seed) => ({ FULL_SEED: String(seed), FULL_MOMENTS: "50" }),
  },
  crash: {
    about: "daemons are killed at random moments of backups and restores",
    file: "tests/integration/crash.test.ts",
    env: (seed) => ({ CRASH_SEED: String(seed) }),
  },
  wal: {
    about: "a database archives its log while processes are killed, and recovers to many moments",
    file: "tests/integration/wal.test.ts",
    env: (seed) => ({
      WAL_SEED: String(seed),
      WAL_ROUNDS: "50",
      WAL_TARGETS: "20",
      WAL_STEPS: "50",
      WAL_TIMEOUT_MS: "3600000",
    }),
  },
  postgresql: {
    about: "agents and servers are killed in pushes, backups, restores and recoveries of a cluster",
    file: "tests/soak/postgresql_kills.test.ts",
    env: (seed) => ({ KILL_SEED: String(seed), KILL_ROUNDS: "50" }),
  },
  concurrent: {
    about: "backups, restores, verifications and expiries of one vault at the same time",
    file: "tests/integration/concurrent.test.ts",
    env: (seed) => ({ CONCURRENT_SEED: String(seed), CONCURRENT_JOBS: "30" }),
  },
  flips: {
    about: "single flipped bits in media: each is found, none restores a wrong byte",
    file: "tests/unit/agent/incremental/flipped_bits.test.ts",
    env: (seed) => ({ FLIP_SEED: String(seed), FLIPS: "300" }),
  },
  incremental: {
    about: "histories of a tree: every backup of it restores, media and catalog agree",
    file: "tests/unit/agent/incremental/incremental_model.test.ts",
    env: (seed) => ({ INCREMENTAL_SEED: String(seed), INCREMENTAL_STEPS: "12" }),
  },
  resume: {
    about:
      "histories of a tree whose backups are cut: the one that ends holds the tree of its time",
    file: "tests/unit/agent/incremental/resume_model.test.ts",
    env: (seed) => ({ RESUME_SEED: String(seed), RESUME_STEPS: "8" }),
  },
  expiry: {
    about: "backups, pins and expiries: what is kept restores, before and after a rebuild",
    file: "tests/unit/agent/vault/expiry_model.test.ts",
    env: (seed) => ({ EXPIRY_SEED: String(seed), EXPIRY_STEPS: "25" }),
  },
  fuzz: {
    about: "changed inputs in every decoder of wire, disk, media and configuration",
    file: "tests/unit/decoders/decoders.test.ts",
    env: (seed) => ({ FUZZ_SEED: String(seed), FUZZ_RUNS: "20000" }),
  },
  cut: {
    about: "a database of 5 GiB is backed up and restored while the network is cut",
    file: "tests/soak/cut_database.test.ts",
    hasFigures: true,
    env: () => ({}),
  },
  hostile: {
    about: "a thousand hostile connections at once leave a running backup its rate",
    file: "tests/soak/hostile.test.ts",
    hasFigures: true,
    env: () => ({}),
  },
  install: {
    about: "the guide for two hosts, followed on two with systemd (root; needs dist/agent)",
    file: "tests/soak/install.test.ts",
    env: () => ({}),
  },
  page: {
    about: "time and bytes of the first view of the page",
    file: "tests/soak/page.test.ts",
    hasFigures: true,
    env: () => ({}),
  },
  memory: {
    about: "resident memory with a 4 GiB file and with 200,000 files",
    file: "tests/soak/memory.test.ts",
    hasFigures: true,
    env: () => ({}),
  },
};

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function runOnce(campaign: Campaign, seed: number): Promise<boolean> {
  const env = Object.entries(campaign.env(seed)).map(([name, value]) => `${name}=${value}`);
  const test = [Deno.execPath(), "test", "-A", "--no-prompt", "--no-check", campaign.file];
  const { code, stdout, stderr } = await runTool(["env", "NO_COLOR=1", ...env, ...test]);
  if (code === 0 && campaign.hasFigures) say(new TextDecoder().decode(stdout));
  if (code === 0) return true;
  say(`${new TextDecoder().decode(stdout)}${stderr}`);
  say(`Failed with ${env.join(" ")}: ${test.slice(1).join(" ")}`);
  return false;
}

/** The options that all campaigns share, under the names that a program knows; the others as is. */
async function runProgram({ program }: Program, args: readonly string[]): Promise<number> {
  const named = args.map((arg) =>
    arg.replace(/^--runs(?==|$)/, "--seeds").replace(/^--seed(?==|$)/, "--from")
  );
  const run = ["run", "-A", "--no-prompt", "--no-check", program, ...named];
  return (await new Deno.Command(Deno.execPath(), { args: run }).spawn().status).code;
}

const [name = "", ...rest] = Deno.args;
const campaign = CAMPAIGNS[name];
if (campaign === undefined) {
  for (const [known, { about }] of Object.entries(CAMPAIGNS)) say(`${known.padEnd(11)} ${about}`);
  Deno.exit(name === "" ? 0 : 2);
}
if ("program" in campaign) Deno.exit(await runProgram(campaign, rest));
const { values } = parseArgs({
  args: rest,
  options: { runs: { type: "string", default: "1" }, seed: { type: "string" } },
});
const first = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const runs = Number(values.runs);
for (let run = 0; run < runs; run += 1) {
  if (!await runOnce(campaign, first + run)) Deno.exit(1);
}
say(`${runs} runs of ${name} from seed ${first}: no failure`);
