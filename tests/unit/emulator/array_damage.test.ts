// Any word of any table, header or map of a sound array with content is changed: check finds it or
// it is one that may have any value; repair makes check clean but for what was lost, names that,
// and never changes a record that was on its device. Seeded; ARRAY_SEED repeats one run.

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import {
  attachArray,
  checkArray,
  createArray,
  destageArray,
  repairArray,
} from "../../../emulator/mod.ts";
import { boardLayout, SLOT, SLOT_HEADER_BYTES, STATE } from "../../../emulator/board_layout.ts";
import { makeGeometry } from "../../../emulator/geometry.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { seededRandom, type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const MIB = 2 ** 20;
const RECORDS = 2 * MIB / RECORD;
const VOLUMES = 2;
const SLOTS = 8;
const ROUNDS = Number(process.env["ARRAY_ROUNDS"] ?? "8");
/** Words that may have any value: of the state page, and of a slot header. */
const FREE_STATE: readonly number[] = [
  ...[STATE.intent, STATE.holder, STATE.tick, STATE.epoch, STATE.hand, STATE.repairs],
  // They count only beside a track.
  ...[STATE.damageDevice, STATE.damageRecords, STATE.damageCount],
  STATE.faults,
  ...Array.from({ length: 16 }, (_, word) => STATE.counters + word * 4),
];
const FREE_SLOT: readonly number[] = [
  ...[SLOT.generation, SLOT.version, SLOT.lastUse, SLOT.pendingSince, SLOT.lastWrite],
  SLOT.nextFree,
];
/** Offset of the version in each header: another version is refused, and nothing repaired. */
const VERSION_OFFSET = 8;

const layout = boardLayout(
  makeGeometry({
    uuid: "00112233-4455-4677-8899-aabbccddeeff",
    deviceBytes: [2 * MIB, 2 * MIB],
    boards: 2,
    slotsPerBoard: SLOTS,
    memory: "memory",
  }),
  0,
);

type Snapshot = ReadonlyMap<string, Uint8Array>;

interface Sound {
  readonly place: TemporaryArray;
  readonly files: Snapshot;
  /** What each record holds, and whether it is write pending. */
  readonly model: readonly { readonly byte: number; readonly pending: boolean }[];
}

function load(path: string): Snapshot {
  const files = new Map<string, Uint8Array>();
  for (const name of readdirSync(path, { recursive: true }).map(String)) {
    if (statSync(join(path, name)).isFile()) files.set(name, readFileSync(join(path, name)));
  }
  return files;
}

function restore(path: string, files: Snapshot): void {
  for (const [name, bytes] of files) writeFileSync(join(path, name), bytes);
}

/** Content on devices, in cache and pending, as after the sudden end of the last host. */
function makeSound(place: TemporaryArray, random: (limit: number) => number): Sound {
  const options = { volumes: VOLUMES, volumeBytes: 2 * MIB, boards: 2 };
  const cacheBytes = 2 * SLOTS * 65536;
  createArray(place.path, { ...options, cacheBytes, memory: "memory" }, place.parts);
  const model = Array.from({ length: VOLUMES * RECORDS }, () => ({ byte: 0, pending: false }));
  const host = attachArray(place.path, { hostName: "test" }, place.parts);
  const write = (record: number, byte: number, pending: boolean) => {
    const volume = host.volume(`v${Math.floor(record / RECORDS)}`);
    volume.write(record % RECORDS * RECORD, new Uint8Array(RECORD).fill(byte));
    model[record] = { byte, pending };
  };
  for (let count = 0; count < 60; count++) {
    write(random(VOLUMES * RECORDS), 1 + random(255), false);
  }
  destageArray(place.path, place.parts);
  // Few tracks, so that none of them has to be given up and destaged.
  for (let count = 0; count < 20; count++) {
    write(random(6) * 16 + random(16), 1 + random(255), true);
  }
  const files = load(place.path);
  host.close();
  return { place, files, model };
}

interface Damage {
  readonly name: string;
  readonly offset: number;
}

/** Whether a word may have this value in a sound array. */
function mayBe({ name, offset }: Damage, value: number): boolean {
  if (name === "pending.map") return false;
  const inState = offset - layout.stateOffset;
  if (inState >= 0 && inState < RECORD) return FREE_STATE.includes(inState);
  const inSlots = offset - layout.slotHeadersOffset;
  if (inSlots < 0 || inSlots >= SLOTS * SLOT_HEADER_BYTES) return false;
  const within = inSlots % SLOT_HEADER_BYTES;
  return FREE_SLOT.includes(within) || (within === SLOT.ahead && value <= 1);
}

/** A word of a header, table or map; mostly one that is in use. */
function choose(random: (limit: number) => number, files: Snapshot): Damage {
  const board = `memory/board${random(2)}`;
  const word = (bytes: number) => random(bytes / 4) * 4;
  const { slotHeadersOffset, slotsOffset, stateOffset } = layout;
  switch (random(7)) {
    case 0: {
      const name = random(2) === 0 ? board : "pending.map";
      const offset = word(random(2) === 0 ? 64 : RECORD);
      return offset === VERSION_OFFSET ? choose(random, files) : { name, offset };
    }
    case 1: {
      const within = word(random(2) === 0 ? 128 : RECORD);
      return { name: board, offset: stateOffset + within };
    }
    case 2:
    case 3: {
      const within = word(SLOT_HEADER_BYTES);
      const offset = slotHeadersOffset + random(SLOTS) * SLOT_HEADER_BYTES + within;
      return { name: board, offset };
    }
    case 4: {
      const size = files.get("pending.map")?.length ?? RECORD;
      return { name: "pending.map", offset: RECORD + word(size - RECORD) };
    }
    case 5: // The first entries of each table are in use.
      return { name: board, offset: (2 + random(4)) * RECORD + word(256) };
    default:
      return {
        name: board,
        offset: 2 * RECORD + word(slotsOffset - 2 * RECORD),
      };
  }
}

function checkRecords(sound: Sound, lost: ReadonlySet<number>, where: string): void {
  const host = attachArray(sound.place.path, { hostName: "test" }, sound.place.parts);
  try {
    const into = new Uint8Array(RECORD);
    for (const [record, { byte, pending }] of sound.model.entries()) {
      const volume = host.volume(`v${Math.floor(record / RECORDS)}`);
      let found: number | string | undefined;
      try {
        volume.read(record % RECORDS * RECORD, into);
        found = into[0];
      } catch (error) {
        found = error instanceof AgentError && error.code === "volume" ? "lost" : String(error);
      }
      if (lost.has(record) ? pending && found === "lost" : found === byte) continue;
      throw new Error(`record ${record} holds ${found}, need ${byte} (${where})`);
    }
  } finally {
    host.close();
  }
}

function damageOnce(sound: Sound, random: (limit: number) => number, seed: number): void {
  const { place, files } = sound;
  restore(place.path, files);
  const damage = choose(random, files);
  const { name, offset } = damage;
  const bytes = new Uint8Array(files.get(name) ?? []);
  const view = new DataView(bytes.buffer);
  const before = view.getUint32(offset, true);
  const kinds = [before ^ (1 << random(32)), random(2 ** 32), 0, before + 1, 0xffffffff];
  const value = (kinds[random(kinds.length)] ?? 0) >>> 0;
  if (value === before) return;
  view.setUint32(offset, value, true);
  writeFileSync(join(place.path, name), bytes);
  const where = `${name} at ${offset}: ${before} became ${value}, seed ${seed}`;
  const findings = checkArray(place.path, place.parts);
  if (!mayBe(damage, value) && findings.length === 0) {
    throw new Error(`check found nothing: ${where}`);
  }
  const { lost } = repairArray(place.path, { acceptLoss: false }, place.parts);
  const records = new Set<number>();
  for (const { device, offsetBytes, bytes } of lost) {
    const first = Number(device.slice(1)) * RECORDS + offsetBytes / RECORD;
    for (let count = 0; count < bytes / RECORD; count++) records.add(first + count);
  }
  const after = checkArray(place.path, place.parts);
  const rest = after.filter((finding) => finding.lost === undefined);
  if (rest.length > 0) throw new Error(`repair left "${rest[0]?.message}": ${where}`);
  expect(after.map((finding) => finding.lost)).toEqual([...lost]);
  for (const device of ["v0.dev", "v1.dev"]) {
    const same = readFileSync(join(place.path, device)).equals(
      files.get(device) ?? new Uint8Array(),
    );
    if (!same) throw new Error(`repair changed ${device}: ${where}`);
  }
  checkRecords(sound, records, where);
}

describe("array with a damaged word", () => {
  const given = process.env["ARRAY_SEED"];
  const fresh = Array.from({ length: 5 }, (_, count) => (Date.now() + count * 7919) % 2 ** 31);
  const seeds = given === undefined ? [1, 2, 3, 4, 5, ...fresh] : [Number(given)];

  for (const seed of seeds) {
    test(`check finds it and repair mends it, seed ${seed}`, async () => {
      const random = seededRandom(seed);
      const place = await temporaryArray();
      try {
        const sound = makeSound(place, random);
        restore(place.path, sound.files);
        expect(checkArray(place.path, place.parts)).toEqual([]);
        for (let round = 0; round < ROUNDS; round++) damageOnce(sound, random, seed);
      } finally {
        await place.dispose();
      }
    });
  }
});
