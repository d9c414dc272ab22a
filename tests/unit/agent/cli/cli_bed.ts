// Runs the command line in the test's own process: captured output, a fake daemon on a real Unix
// socket, signals that the test sends.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import type { StgBenchFigures } from "../../../../agent/bench/mod.ts";
import {
  createControlApp,
  serveControl,
  type ServedControl,
} from "../../../../agent/control/mod.ts";
import { type OfflineOperations, type Output, runCli } from "../../../../agent/cli/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime, type Runtime } from "../../../../transport/runtime/mod.ts";
import { FakeDaemon } from "../control/fake_daemon.ts";
import { MAP, STG } from "../control/fake_storage.ts";

const BENCH: StgBenchFigures = {
  hosts: [8, 7],
  volumes: 2,
  payloadBytes: 262_144,
  ringBytes: 2_097_152,
  isEncrypted: false,
  frameBytes: 262_144,
  stream: {
    bytes: 7.5e9,
    seconds: 3,
    bytesPerSecond: 2.5e9,
    cpuSecondsPerGigabyte: 0.61234,
    smallestShare: 1,
  },
  trips: { medianUs: 8.1234, p99Us: 30.5, trips: 5000 },
};

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliBed {
  readonly directory: string;
  readonly daemon: FakeDaemon;
  readonly offlineCalls: unknown[] = [];
  readonly daemonRuns: unknown[] = [];
  readonly env = new Map<string, string>();
  /** What `stg bench` does; the default ends at once. */
  bench: (signal: AbortSignal) => Promise<StgBenchFigures> = () => Promise.resolve(BENCH);
  terminal = false;
  stdout = "";
  stderr = "";
  #runtime: Runtime;
  #served: ServedControl;
  #signals = new Map<string, Set<() => void>>();

  private constructor(
    directory: string,
    daemon: FakeDaemon,
    runtime: Runtime,
    served: ServedControl,
  ) {
    this.directory = directory;
    this.daemon = daemon;
    this.#served = served;
    this.#runtime = {
      ...runtime,
      process: {
        ...runtime.process,
        pid: 1,
        cwd: () => directory,
        env: (name) => this.env.get(name),
        onSignal: (signal, handler) => {
          const handlers = this.#signals.get(signal) ?? new Set();
          this.#signals.set(signal, handlers.add(handler));
          return () => void handlers.delete(handler);
        },
      },
    };
    this.env.set("AGENT_CONTROL", "unix:c.sock");
  }

  static async open(): Promise<CliBed> {
    const directory = mkdtempSync(join(tmpdir(), "cli-"));
    const runtime = await currentRuntime();
    const { clock } = runtime;
    const daemon = new FakeDaemon();
    const app = createControlApp(daemon, { clock, access: null });
    const path = join(directory, "c.sock");
    const served = await serveControl(app, { kind: "unix", path }, runtime);
    return new CliBed(directory, daemon, runtime, served);
  }

  async run(...args: string[]): Promise<Ran> {
    this.stdout = "";
    this.stderr = "";
    const code = await runCli(args, {
      runtime: this.#runtime,
      out: this.#output(),
      version: "1.2.3",
      offline: () => Promise.resolve(this.#offline()),
      runDaemon: (options) => {
        this.daemonRuns.push(options);
        return Promise.resolve(0);
      },
    });
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** Delivers a signal to whoever listens; count of listeners. */
  signal(name: "SIGINT" | "SIGTERM"): number {
    const handlers = [...this.#signals.get(name) ?? []];
    for (const handler of handlers) handler();
    return handlers.length;
  }

  get listeners(): number {
    return [...this.#signals.values()].reduce((sum, handlers) => sum + handlers.size, 0);
  }

  async close(): Promise<void> {
    await this.#served.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #output(): Output {
    return {
      write: (stream, text) => {
        if (stream === 1) this.stdout += text;
        else this.stderr += text;
      },
      isTerminal: () => this.terminal,
      columns: () => 110,
      paint: () => pc.createColors(false),
    };
  }

  #offline(): OfflineOperations {
    const report = {
      directory: "/a",
      uuid: "u",
      attached: false,
      memory: "/m",
      missingBoards: [],
      devices: [],
      boards: [],
      hosts: [],
    };
    const note = <T>(call: unknown, value: T): T => {
      this.offlineCalls.push(call);
      return value;
    };
    return {
      arrayCreate: (options) => note(options, report),
      arrayStatus: (directory) => note(directory, report),
      arrayMap: (directory) => note(`map ${directory}`, [MAP]),
      arrayCheck: (directory) =>
        note(directory, [{ code: "damaged", subject: "v0.dev", message: "too short" }]),
      arrayDestage: (directory) => note(directory, { tracks: 7 }),
      arrayRepair: (directory, options) =>
        note([directory, options], {
          found: [],
          mended: [{ subject: "board0", message: "replaced by an empty one" }],
          lost: [{ device: "v0", offsetBytes: 4096, bytes: 8192 }],
        }),
      arrayGrow: (options) => note(options, report),
      arrayPowerFail: (directory) => note(directory, { tracks: 3 }),
      arrayRemove: (directory) => note(directory, undefined),
      arrayFaultAdd: (directory, fields) =>
        note([directory, fields], { id: 3, rule: { kind: fields["kind"] ?? "" }, fired: 0 }),
      arrayFaultList: (directory) =>
        note(directory, [{ id: 3, rule: { kind: "lost", on: "write", probability: 1 }, fired: 9 }]),
      arrayFaultClear: (directory, id) => note([directory, id], { rules: 2 }),
      arrayFaultApply: (directory) => note(directory, { rules: 1 }),
      stgFormat: (stg, options) =>
        Promise.resolve(note([stg.name, options], { stg: stg.name, uuid: "u", volumes: ["v0"] })),
      stgStatus: (stg) =>
        stg.name === "broken"
          ? Promise.reject(new AgentError("damaged", "Cannot use v0", { hint: "Format it." }))
          : Promise.resolve(note(stg.name, STG)),
      stgBench: (stg, { frameBytes, seconds, second, signal }) => {
        note([stg.name, frameBytes, seconds, second("00ff")], undefined);
        return this.bench(signal);
      },
      stgBenchSecond: (stg, { token }) => Promise.resolve(note([stg.name, token], 1)),
    };
  }
}
