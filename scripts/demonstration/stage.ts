// The stage of the demo: a temporary folder, two configurations, two daemons, the writer process,
// and the way to leave nothing of them behind.
//
// Invariants:
//  1. Whatever is started or created is registered for the clean-up before it exists.
//  2. Daemons and the writer run in process groups of their own, so that Ctrl-C on the terminal
//     reaches only the demo, which ends them in order.
//  3. They end with the demo, also after its SIGKILL: the kernel sees to that. Then only the folder
//     and an array's memory are left.

import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runTool } from "./run_tool.ts";
import { type Role, unitEnvironment } from "./unit_environment.ts";

/** Words before a command: the kernel kills it when the process that started it ends. */
const ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"] as const;

/** Milliseconds a daemon gets to end on SIGTERM before it is killed. */
const STOP_MS = 10_000;

/** Characters of a log that a failure shows. */
const LOG_CHARACTERS = 4000;

interface Actor {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
}

/** Everything that one demo has on this machine. */
export class Stage {
  readonly folder: string;
  /** The command that runs the program; arguments follow. */
  readonly agent: readonly string[];
  readonly #keep: boolean;
  readonly #actors: Actor[] = [];
  #array: string | null = null;

  constructor(
    agent: readonly string[],
    options: { readonly keep: boolean; readonly parent?: string },
  ) {
    this.agent = agent;
    this.#keep = options.keep;
    this.folder = mkdtempSync(join(options.parent ?? tmpdir(), "agent-demo-"));
  }

  /** A path inside the stage's folder. */
  path(...parts: readonly string[]): string {
    return join(this.folder, ...parts);
  }

  /** Makes a folder inside the stage. */
  makeFolder(name: string): string {
    mkdirSync(this.path(name), { recursive: true });
    return this.path(name);
  }

  /** Names the array whose memory the clean-up gives back. */
  registerArray(path: string): void {
    this.#array = path;
  }

  /** Starts a daemon, in the environment of its unit; `enter` is what comes before its command. */
  startDaemon(
    name: string,
    { role, config, enter = [] }: {
      readonly role: Role;
      readonly config: string;
      readonly enter?: readonly string[];
    },
  ): void {
    const command = [...enter, ...this.agent, "--role", role, "--config", config];
    this.start(name, command, unitEnvironment(role));
  }

  /** Starts a process that runs until the clean-up; its output goes to NAME.log. */
  start(
    name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): void {
    const [program, ...args] = [...ENDS_WITH_US, ...command] as const;
    const log = openSync(this.path(`${name}.log`), "a");
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...process.env, ...environment },
      stdio: ["pipe", log, log],
      detached: true,
    });
    closeSync(log);
    const ended = new Promise<number | null>((resolve) => {
      child.on("error", () => resolve(127));
      child.on("exit", (code) => resolve(code));
    });
    this.#actors.push({ name, child, ended });
  }

  /** Throws when a process that must run has ended. */
  assertRunning(name: string): void {
    const actor = this.#actors.find((other) => other.name === name);
    if (actor === undefined) throw new Error(`${name} was not started`);
    if (actor.child.exitCode === null && actor.child.signalCode === null) return;
    throw new Error(`${name} ended with ${actor.child.exitCode}`);
  }

  /** Process id of what was started under this name. */
  pidOf(name: string): number {
    this.assertRunning(name);
    return this.#actors.find((actor) => actor.name === name)?.child.pid ?? -1;
  }

  /** The end of a process's log, with its name; empty when it has none. */
  logOf(name: string): string {
    const path = this.path(`${name}.log`);
    if (!existsSync(path)) return "";
    return `${name}.log:\n${readFileSync(path, "utf8").slice(-LOG_CHARACTERS)}`;
  }

  /** Ends one process: SIGTERM, and SIGKILL for its group when it does not listen. */
  async stop(name: string): Promise<number | null> {
    const index = this.#actors.findIndex((actor) => actor.name === name);
    const [actor] = index < 0 ? [] : this.#actors.splice(index, 1);
    if (actor === undefined) return null;
    const { child, ended } = actor;
    child.stdin?.end();
    child.kill("SIGTERM");
    const timer = setTimeout(() => {
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {
        // The group ended in this moment.
      }
    }, STOP_MS);
    const code = await ended;
    clearTimeout(timer);
    return code;
  }

  /** Ends everything, newest first, and removes the array's memory and the folder. */
  async clear(): Promise<void> {
    for (const { name } of [...this.#actors].reverse()) await this.stop(name);
    if (this.#keep) return;
    if (this.#array !== null) {
      const { code, stderr } = await runTool([...this.agent, "array", "remove", this.#array]);
      if (code !== 0) process.stderr.write(`Cannot remove the array: ${stderr}\n`);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
