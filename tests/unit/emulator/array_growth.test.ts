// An array that grows: what its volumes hold and what is lost stays as it is, however many devices
// lie behind the one that got larger, and whenever the process that grows it is killed.
// ARRAY_SEED repeats one run.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  arrayStatus,
  attachArray,
  checkArray,
  createArray,
  type CreateArrayOptions,
  failPower,
  growArray,
  type GrowthOptions,
  removeArray,
  repairArray,
} from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { readStgIdentity } from "../../../transport/stp/mod.ts";
import { firstDifference } from "../../contract/volume_conformance.ts";
import { CONN_FORMAT, CONN_TIMING, volumeBytes } from "../../contract/stp_conn_bed.ts";
import { connectPair, openStpBed, readCount, writeWhole } from "../transport/stp/stp_bed.ts";
import { dyingParts, Killed } from "./dying_parts.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const MIB = 2 ** 20;

let place: TemporaryArray;

beforeEach(async () => {
  place = await temporaryArray();
});
afterEach(() => place.dispose());

function create(options: Partial<CreateArrayOptions> = {}): void {
  const shape = { volumes: 3, volumeBytes: MIB, boards: 2, cacheBytes: MIB, memory: "memory" };
  createArray(place.path, { ...shape, ...options }, place.parts);
}

/** What a record holds; null when it is lost. */
type Model = Map<string, (Uint8Array | null)[]>;

function emptyModel(): Model {
  const model: Model = new Map();
  resize(model);
  return model;
}

/** Takes the sizes that the volumes have now: what is new reads as zeros. */
function resize(model: Model): void {
  for (const { name, sizeBytes } of arrayStatus(place.path, place.parts).devices) {
    const old = model.get(name) ?? [];
    const records = sizeBytes / RECORD;
    model.set(
      name,
      Array.from({ length: records }, (_, at) => {
        const kept = old[at];
        return kept === undefined ? new Uint8Array(RECORD) : kept;
      }),
    );
  }
}

/** By a host that is killed then: all of it may be pending still. */
function writeAndDie(model: Model, places: readonly (readonly [string, number, number])[]): void {
  const parts = dyingParts(place.parts);
  const host = attachArray(place.path, { hostName: "killed" }, parts);
  for (const [volume, at, byte] of places) {
    const bytes = new Uint8Array(RECORD).fill(byte);
    host.volume(volume).write(at * RECORD, bytes);
    const records = model.get(volume);
    if (records !== undefined) records[at] = bytes;
  }
  parts.end();
}

function loseWithPower(
  model: Model,
  places: readonly (readonly [string, number, number])[],
): void {
  writeAndDie(model, places);
  failPower(place.path, place.parts);
  attachArray(place.path, { hostName: "test" }, place.parts).close();
  for (const [volume, at] of places) model.get(volume)?.splice(at, 1, null);
}

/** Every record of every volume, what is lost, and that nothing else is wrong. */
function expectContent(model: Model, context: string): void {
  const lost: string[] = [];
  const host = attachArray(place.path, { hostName: "test" }, place.parts);
  try {
    for (const [volume, records] of model) {
      const opened = host.volume(volume);
      expect(`${context}: ${opened.sizeBytes}`).toBe(`${context}: ${records.length * RECORD}`);
      for (const [at, record] of records.entries()) {
        const found = new Uint8Array(RECORD);
        const outcome = codeOf(() => opened.read(at * RECORD, found));
        if (record === null) lost.push(`${volume} ${at * RECORD}`);
        const wanted = record === null ? "volume" : "done";
        const isSame = record === null || firstDifference(found, record) < 0;
        if (outcome === wanted && isSame) continue;
        throw new Error(`${context}: record ${at} of ${volume} is ${outcome}, ${found[0]}`);
      }
    }
  } finally {
    host.close();
  }
  const places = checkArray(place.path, place.parts).flatMap(({ lost: run, message }) => {
    if (run === undefined) throw new Error(`${context}: ${message}`);
    const { device, offsetBytes, bytes } = run;
    return Array.from(
      { length: bytes / RECORD },
      (_, at) => `${device} ${offsetBytes + at * RECORD}`,
    );
  });
  expect(places).toEqual(lost);
}

function codeOf(attempt: () => unknown): string {
  return errorOf(attempt)?.code ?? "done";
}

function errorOf(attempt: () => unknown): AgentError | null {
  try {
    attempt();
    return null;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

const SPREAD = ["v0", "v1", "v2"].flatMap((volume, index) =>
  [0, 17, 128, 255].map((at) => [volume, at, 16 * (index + 1) + at % 16 + 1] as const)
);

describe("growArray()", () => {
  const growths: readonly GrowthOptions[] = [
    { volume: "v0", sizeBytes: 2 * MIB },
    { volume: "v1", sizeBytes: 3 * MIB - 5 },
    { volume: "v2", sizeBytes: 4 * MIB },
    { add: 2, sizeBytes: MIB },
    { volume: "v1", add: 1, sizeBytes: 2 * MIB },
  ];
  for (const growth of growths) {
    test(`keeps content and losses: ${JSON.stringify(growth)}`, () => {
      create({ boards: 3 });
      const model = emptyModel();
      loseWithPower(model, [["v0", 3, 1], ["v1", 0, 2], ["v1", 200, 3], ["v2", 255, 4]]);
      writeAndDie(model, SPREAD.filter(([volume, at]) => model.get(volume)?.[at] !== null));
      const geometry = growArray(place.path, growth, place.parts);
      resize(model);
      expectContent(model, "grown");
      const status = arrayStatus(place.path, place.parts);
      expect(status.devices.map(({ sizeBytes }) => sizeBytes))
        .toEqual(geometry.devices.map(({ sizeBytes }) => sizeBytes));
      expect(status.boards.map(({ replaced }) => replaced)).toEqual([false, false, false]);
      removeArray(place.path, place.parts);
      expect(existsSync(place.path)).toBe(false);
    });
  }

  test("refuses what cannot be, names what it found, and changes nothing", () => {
    create();
    attachArray(place.path, { hostName: "test" }, place.parts).close();
    writeAndDie(emptyModel(), SPREAD);
    writeFileSync(join(place.path, "v4.dev"), "of others");
    const before = contentOf(place.path);
    const cases: readonly (readonly [GrowthOptions, string, string])[] = [
      [{ volume: "v1", sizeBytes: MIB }, "usage", '1048576 bytes given for volume "v1", need more'],
      [{ volume: "v1", sizeBytes: 5 }, "usage", "need more than its 1048576"],
      [{ volume: "v7", sizeBytes: 2 * MIB }, "not_found", "need one of v0, v1, v2"],
      [{ sizeBytes: 2 * MIB }, "usage", "need one of both"],
      [{ add: 254, sizeBytes: MIB }, "usage", "number of volumes is 257, need 1 to 256"],
      [{ add: -1, sizeBytes: MIB }, "usage", "need 1 to 256"],
      [{ add: 1, sizeBytes: 0 }, "usage", "volume size in bytes is 0, need 1 to"],
      [{ add: 1, sizeBytes: 2 ** 44 }, "usage", "array size in bytes is"],
      [{ volume: "v0", sizeBytes: 2 ** 60 }, "usage", "need 1 to 17592186044416"],
      [{ add: 2, sizeBytes: MIB }, "busy", 'a file "v4.dev" is there, need that name'],
    ];
    for (const [options, code, message] of cases) {
      const error = errorOf(() => growArray(place.path, options, place.parts));
      expect([error?.code, error?.message]).toEqual([code, expect.stringContaining(message)]);
      expect(error?.message).toContain(`Cannot grow array "${place.path}": `);
      expect(error?.hint).toBeDefined();
    }
    expect(contentOf(place.path)).toEqual(before);
    const host = attachArray(place.path, { hostName: "test" }, place.parts);
    const inUse = contentOf(place.path);
    const busy = errorOf(() => growArray(place.path, { add: 1, sizeBytes: MIB }, place.parts));
    expect([busy?.code, busy?.hint]).toEqual(["busy", expect.stringContaining("Stop the agents")]);
    expect(contentOf(place.path)).toEqual(inUse);
    host.close();
  });

  test("a storage group goes on working on the larger volumes", async () => {
    create({ volumes: 2, volumeBytes: volumeBytes(2) });
    const { clock, random } = place.parts;
    const open = () => {
      const hosts = ["one", "two"].map((hostName) =>
        attachArray(place.path, { hostName }, place.parts)
      );
      const [first, second] = hosts.map((host) => ["v0", "v1"].map((name) => host.volume(name)));
      return { hosts, volumes: [first ?? [], second ?? []] as const };
    };
    const before = open();
    const options = { clock, random, format: CONN_FORMAT, timing: CONN_TIMING };
    const bed = await openStpBed({ ...options, volumes: before.volumes });
    await bed.close();
    for (const host of before.hosts) host.close();
    growArray(place.path, { volume: "v0", sizeBytes: volumeBytes(2) + MIB }, place.parts);
    const after = open();
    const identity = await readStgIdentity({ name: "stg0", volumes: after.volumes[0] });
    expect(identity).toEqual(bed.identity);
    const grown = await openStpBed({ ...options, volumes: after.volumes, identity });
    const [a, b] = await connectPair(grown);
    const bytes = new Uint8Array(300_000).map((_, at) => at % 251);
    const [found] = await Promise.all([readCount(b, bytes.length), writeWhole(a, bytes)]);
    expect(firstDifference(found, bytes)).toBe(-1);
    await Promise.all([a.close(), b.close()]);
    await grown.close();
    for (const host of after.hosts) host.close();
  });
});

describe("growArray() killed", () => {
  const GROWTH = { volume: "v0", add: 1, sizeBytes: 2 * MIB };
  const next: Readonly<Record<string, () => unknown>> = {
    attach: () => attachArray(place.path, { hostName: "test" }, place.parts).close(),
    check: () => checkArray(place.path, place.parts),
    status: () => arrayStatus(place.path, place.parts),
    grow: () => codeOf(() => growArray(place.path, GROWTH, place.parts)),
    "power-fail": () => failPower(place.path, place.parts),
    remove: () => removeArray(place.path, place.parts),
  };
  // Each kill is followed by one of them; which comes first changes from run to run.
  const commands = Object.entries(next);
  const turn = Date.now() % commands.length;
  test(`before any change leaves the old array or the new one, turn ${turn}`, () => {
    let kills = 0;
    for (let wasKilled = true; wasKilled;) {
      const model = makeArray();
      const [name, use] = commands[(kills + turn) % commands.length] ?? ["none", () => {}];
      const context = `killed before change ${kills}, then ${name}`;
      wasKilled = killedAt(kills);
      if (wasKilled) kills++;
      const isBegun = existsSync(join(place.path, "grow.json"));
      // What is pending must not be lost here.
      if (name === "power-fail" && !isBegun) destageByHost();
      use();
      if (name === "remove") expect(existsSync(place.path)).toBe(false);
      else expectOldOrNew(model, { context, isBegun });
    }
    expect(kills).toBeGreaterThan(40);
  });

  function expectOldOrNew(
    model: Model,
    { context, isBegun }: { readonly context: string; readonly isBegun: boolean },
  ): void {
    expect([context, existsSync(join(place.path, "grow.json"))]).toEqual([context, false]);
    if (isBegun) expect([context, isGrown()]).toEqual([context, true]);
    if (isGrown()) resize(model);
    repairArray(place.path, { acceptLoss: false }, place.parts);
    expectContent(model, context);
    removeArray(place.path, place.parts);
  }

  /** Also the one that completes it is killed, before each of its changes. */
  test("again and again is completed in the end", () => {
    const model = makeArray();
    let kills = 0;
    for (let changes = 0; !isGrown(); changes++) if (killedAt(20 + changes)) kills++;
    expect(kills).toBeGreaterThan(10);
    resize(model);
    expectContent(model, "grown");
  });

  function isGrown(): boolean {
    return readFileSync(join(place.path, "array.json"), "utf8").includes('"v3"');
  }

  function makeArray(): Model {
    create({ boards: 2 });
    const model = emptyModel();
    loseWithPower(model, [["v0", 255, 1], ["v1", 9, 2], ["v2", 0, 3]]);
    writeAndDie(model, SPREAD.filter(([volume, at]) => model.get(volume)?.[at] !== null));
    return model;
  }

  function destageByHost(): void {
    attachArray(place.path, { hostName: "test" }, place.parts).close();
  }

  /** @returns false when it came to its end before */
  function killedAt(changes: number): boolean {
    const { end, ...parts } = dyingParts(place.parts, changes);
    try {
      growArray(place.path, GROWTH, parts);
      return false;
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      return true;
    } finally {
      end();
    }
  }
});

describe("growArray() at random", () => {
  const given = process.env["ARRAY_SEED"];
  const fresh = Array.from({ length: 5 }, (_, count) => (Date.now() + count * 7919) % 2 ** 31);
  for (const seed of given === undefined ? [1, 2, 3, 4, 5, ...fresh] : [Number(given)]) {
    test(`content and losses survive, seed ${seed}`, () => {
      const random = seededRandom(seed);
      // More slots on each board than tracks are written: nothing is destaged before its time.
      const cacheBytes = 4 * MIB;
      create({ volumes: 1 + random(3), boards: 1 + random(3), cacheBytes });
      const model = emptyModel();
      const anywhere = () =>
        Array.from({ length: 1 + random(20) }, () => {
          const volumes = [...model];
          const [name, records] = volumes[random(volumes.length)] ?? ["v0", []];
          return [name, random(records.length), 1 + random(255)] as const;
        });
      for (let step = 0; step < 4; step++) {
        if (random(2) === 0) loseWithPower(model, anywhere());
        writeAndDie(model, anywhere());
        const names = [...model.keys()];
        const volume = names[random(names.length)] ?? "v0";
        const sizeBytes = (model.get(volume)?.length ?? 0) * RECORD + 1 + random(2 * MIB);
        const add = random(3);
        const growth = add > 0 && random(2) === 0 ? { add, sizeBytes } : { volume, add, sizeBytes };
        growArray(place.path, growth, place.parts);
        resize(model);
        expectContent(model, `step ${step}`);
      }
    });
  }
});

function contentOf(path: string): Map<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
  return new Map(names.flatMap((name) => {
    if (name === "memory") return [];
    return [[name, readFileSync(join(path, name)).toString("base64")] as const];
  }));
}
