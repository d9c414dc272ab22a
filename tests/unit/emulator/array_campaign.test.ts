// Several processes write, verify, stage, evict and destage on one array, and one after the other
// is killed at a random moment. The others never notice, the array is sound at every look, and at
// the end every record that was acknowledged is there. Seeded; ARRAY_SEED repeats a run's choices,
// ARRAY_KILLS makes it longer.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";
import { attachArray, checkArray, createArray } from "../../../emulator/mod.ts";
import { RECORD, RECORDS, verifyRecord, WriteNotes, WRITERS } from "./campaign_records.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const KILLS = Number(process.env["ARRAY_KILLS"] ?? "10");
const SEED = Number(process.env["ARRAY_SEED"] ?? Date.now() % 2 ** 31);
/** Longest pause before the next kill, milliseconds; half of them hit a process that starts. */
const PAUSE_MS_MAX = 40;
/** A new process needs about 300 ms, on a busy machine several times that. */
const START_MS_MAX = 60_000;
const TIMEOUT_MS = 60_000 + KILLS * 2000;

interface Host {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  isReady: boolean;
  /** True when we killed it. */
  killed: boolean;
}

class Campaign {
  readonly #place: TemporaryArray;
  readonly #random = seededRandom(SEED);
  readonly #hosts: Host[] = [];
  #started = 0;
  /** What any of them said before its end. */
  #errors = "";

  constructor(place: TemporaryArray) {
    this.#place = place;
    const options = { volumes: 2, volumeBytes: 2 ** 20, boards: 2, cacheBytes: 10 * 65536 };
    createArray(place.path, { ...options, memory: "memory" }, place.parts);
    WriteNotes.create(this.#notesPath);
    for (let writer = 0; writer < WRITERS; writer++) this.#hosts.push(this.#start(writer));
  }

  get #notesPath(): string {
    return `${this.#place.path}/../notes`;
  }

  /** Kills one after the other; each is replaced at once. */
  async run(): Promise<void> {
    const { clock } = this.#place.parts;
    await Promise.all(this.#hosts.map(({ ready }) => ready));
    for (let kill = 1; kill <= KILLS; kill++) {
      await clock.sleep(this.#random(PAUSE_MS_MAX));
      // Somebody must be left to notice.
      const endMs = clock.monotonicMs() + START_MS_MAX;
      while (this.#hosts.filter(({ isReady }) => isReady).length < WRITERS / 2) {
        if (clock.monotonicMs() > endMs) throw new Error("the hosts do not start");
        await clock.sleep(1);
      }
      this.#refuseFailures();
      const writer = this.#random(WRITERS);
      await this.#kill(writer);
      this.#hosts[writer] = this.#start(writer);
      if (kill % 5 === 0) expect(checkArray(this.#place.path, this.#place.parts)).toEqual([]);
    }
    this.#refuseFailures();
  }

  async endAll(): Promise<void> {
    for (const writer of this.#hosts.keys()) await this.#kill(writer);
    this.#refuseFailures();
  }

  /** Every record as acknowledged, through the cache and then on the devices. */
  verifyAll(): void {
    const { path, parts } = this.#place;
    expect(checkArray(path, parts)).toEqual([]);
    const notes = new WriteNotes(this.#notesPath);
    try {
      let written = 0;
      const host = attachArray(path, { hostName: "verifier" }, parts);
      try {
        const volumes = [host.volume("v0"), host.volume("v1")];
        for (let record = 0; record < RECORDS; record++) {
          verifyRecord(volumes, notes, record);
          written += notes.read(record).done;
        }
      } finally {
        host.close();
      }
      expect(written).toBeGreaterThan(RECORDS);
      const devices = ["v0", "v1"].map((name) => this.#device(name));
      for (let record = 0; record < RECORDS; record++) verifyRecord(devices, notes, record);
    } finally {
      notes.close();
    }
    expect(checkArray(path, parts)).toEqual([]);
  }

  #device(name: string) {
    const { path, parts } = this.#place;
    return {
      read: (offsetBytes: number, into: Uint8Array): void => {
        const descriptor = parts.files.open(-100, `${path}/${name}.dev`, { access: "read" });
        try {
          expect(parts.files.readAt(descriptor, offsetBytes, into)).toBe(RECORD);
        } finally {
          parts.files.close(descriptor);
        }
      },
    };
  }

  #refuseFailures(): void {
    const ended = this.#hosts.find(({ child, killed }) => !killed && child.exitCode !== null);
    if (this.#errors === "" && ended === undefined) return;
    throw new Error(`a host ended with ${ended?.child.exitCode} (seed ${SEED}):\n${this.#errors}`);
  }

  #start(writer: number): Host {
    const script = fileURLToPath(new URL("./campaign_process.ts", import.meta.url).href);
    const config = fileURLToPath(new URL("../../../deno.json", import.meta.url).href);
    const run = ["run", "-A", "--no-prompt", "--no-check", "-c", config];
    const args = "Deno" in globalThis ? [...run, script] : [script];
    const seed = SEED + ++this.#started;
    const child = spawn(
      process.execPath,
      [...args, this.#place.path, this.#notesPath, String(writer), String(seed)],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const ready = new Promise<void>((resolve) => {
      child.stdout?.once("data", () => {
        host.isReady = true;
        resolve();
      });
      child.once("exit", () => resolve());
    });
    const host: Host = { child, ready, ended, isReady: false, killed: false };
    child.stderr?.on("data", (text) => this.#errors += text);
    return host;
  }

  async #kill(writer: number): Promise<void> {
    const host = this.#hosts[writer];
    if (host === undefined || host.child.pid === undefined) return;
    host.killed = true;
    host.isReady = false;
    try {
      process.kill(host.child.pid, "SIGKILL");
    } catch {
      // It ended by itself a moment ago.
    }
    await host.ended;
  }
}

describe("array whose processes are killed one after the other", () => {
  test(`array keeps all that was acknowledged, ${KILLS} kills, seed ${SEED}`, async () => {
    const place = await temporaryArray();
    try {
      const campaign = new Campaign(place);
      try {
        await campaign.run();
      } finally {
        await campaign.endAll();
      }
      campaign.verifyAll();
    } finally {
      await place.dispose();
    }
  }, TIMEOUT_MS);
});
