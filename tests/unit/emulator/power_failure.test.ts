// The cache loses its power: what was destaged is there, what was not is named, reads as errors and
// never as something older, until it is written again or its loss is accepted.

import { readdirSync, rmSync, statSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  type ArrayParts,
  arrayStatus,
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
  destageArray,
  failPower,
  repairArray,
} from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { type Files, SystemError } from "../../../transport/runtime/files.ts";
import { filesOver } from "./files_over.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const TRACK = 65536;
const MIB = 2 ** 20;

let place: TemporaryArray;
let hosts: AttachedArray[] = [];

beforeEach(async () => {
  place = await temporaryArray();
  const options = { volumes: 2, volumeBytes: 2 * MIB, boards: 2, cacheBytes: MIB };
  createArray(place.path, { ...options, memory: "memory" }, place.parts);
});
afterEach(async () => {
  for (const host of hosts) host.close();
  hosts = [];
  await place.dispose();
});

function attach(parts: ArrayParts = place.parts): AttachedArray {
  const host = attachArray(place.path, { hostName: "test" }, parts);
  hosts.push(host);
  return host;
}

function record(byte: number): Uint8Array {
  return new Uint8Array(RECORD).fill(byte);
}

function first(host: AttachedArray, volume: string, offsetBytes: number): number | string {
  const into = new Uint8Array(RECORD);
  try {
    host.volume(volume).read(offsetBytes, into);
    return into[0] ?? -1;
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

function lostPlaces(): (string | undefined)[] {
  return checkArray(place.path, place.parts).map(({ lost }) =>
    lost && `${lost.device} ${lost.offsetBytes} ${lost.bytes}`
  );
}

/** Old content everywhere, new content in some records, and no power. */
function loseSome(): void {
  const host = attach();
  host.volume("v0").write(0, new Uint8Array(2 * MIB).fill(1));
  host.volume("v1").write(0, new Uint8Array(2 * MIB).fill(1));
  destageArray(place.path, place.parts);
  // Two records in a row over the edge of two cylinders, which lie on different boards.
  host.volume("v0").write(MIB - RECORD, new Uint8Array(2 * RECORD).fill(2));
  host.volume("v1").write(3 * TRACK + 5 * RECORD, record(3));
  expect(failPower(place.path, place.parts)).toEqual({ tracks: 3 });
}

describe("failPower()", () => {
  test("loses exactly what was pending, and check names it before and after it attaches", () => {
    loseSome();
    const places = [`v0 ${MIB - RECORD} ${2 * RECORD}`, `v1 ${3 * TRACK + 5 * RECORD} ${RECORD}`];
    expect(arrayStatus(place.path, place.parts).missingBoards).toEqual([0, 1]);
    expect(lostPlaces()).toEqual([undefined, undefined, ...places]);
    const host = attach();
    expect(lostPlaces()).toEqual(places);
    expect(first(host, "v0", MIB - RECORD)).toContain(`volume: Cannot read volume "v0" at 1044480`);
    // Staging the rest of their tracks does not bring the old content back.
    expect([first(host, "v0", MIB - 2 * RECORD), first(host, "v0", MIB + RECORD)]).toEqual([1, 1]);
    expect(first(host, "v0", MIB)).toContain(`at ${MIB}: lost with the power`);
    expect(arrayStatus(place.path, place.parts).devices.map(({ damaged }) => damaged)).toEqual(
      [2, 1],
    );
    host.volume("v0").write(MIB - RECORD, new Uint8Array(2 * RECORD).fill(4));
    expect([first(host, "v0", MIB - RECORD), first(host, "v0", MIB)]).toEqual([4, 4]);
    expect(lostPlaces()).toEqual(places.slice(1));
    destageArray(place.path, place.parts);
    expect(lostPlaces()).toEqual(places.slice(1));
    failPower(place.path, place.parts);
    expect(first(attach(), "v0", MIB)).toBe(4);
    expect(lostPlaces()).toEqual(places.slice(1));
  });

  test("fails every request of hosts that are attached; others attach beside them", () => {
    const old = attach();
    const volume = old.volume("v0");
    volume.write(0, record(7));
    failPower(place.path, place.parts);
    expect(first(old, "v0", 0)).toContain("lost its power");
    expect(() => volume.write(0, record(8))).toThrow("lost its power");
    const host = attach();
    expect(host.counters().replacedBoards).toBe(2);
    host.volume("v0").write(0, record(9));
    expect(first(host, "v0", 0)).toBe(9);
    expect(first(old, "v0", 0)).toContain("lost its power");
    old.close();
    expect(checkArray(place.path, place.parts)).toEqual([]);
    host.close();
    expect(arrayStatus(place.path, place.parts).devices[0]?.writePending).toBe(0);
  });

  test("loses the same when the files of the boards are gone too (a machine started again)", () => {
    loseSome();
    for (const host of hosts) host.close();
    rmSync(`${place.path}/memory`, { recursive: true });
    const host = attach();
    expect(first(host, "v1", 3 * TRACK + 5 * RECORD)).toContain("volume: ");
    expect(lostPlaces()).toHaveLength(2);
  });
});

describe("repairArray() after a power failure", () => {
  test("names the losses, and with acceptLoss the older content counts", () => {
    loseSome();
    for (const host of hosts) host.close();
    const kept = repairArray(place.path, { acceptLoss: false }, place.parts);
    expect(kept.lost.map(({ device, bytes }) => [device, bytes])).toEqual(
      [["v0", 2 * RECORD], ["v1", RECORD]],
    );
    expect(lostPlaces()).toHaveLength(2);
    const accepted = repairArray(place.path, { acceptLoss: true }, place.parts);
    expect(accepted.lost).toEqual(kept.lost);
    expect(checkArray(place.path, place.parts)).toEqual([]);
    const host = attach();
    expect([first(host, "v0", MIB), first(host, "v1", 3 * TRACK + 5 * RECORD)]).toEqual([1, 1]);
    expect(() => repairArray(place.path, { acceptLoss: true }, place.parts)).toThrow("in use");
  });
});

describe("the pending map", () => {
  /** The files, with `before` called ahead of each write of the map's 2 bytes. */
  function watched(before: () => void): ArrayParts {
    const { files } = place.parts;
    const writeAllAt: Files["writeAllAt"] = (descriptor, offsetBytes, from) => {
      if (from.length === 2) before();
      files.writeAllAt(descriptor, offsetBytes, from);
    };
    return { ...place.parts, files: filesOver(files, { writeAllAt }) };
  }

  test("is written when records become pending, and never while they are rewritten", () => {
    let writes = 0;
    const volume = attach(watched(() => writes++)).volume("v0");
    const track = new Uint8Array(TRACK).fill(1);
    for (let round = 0; round < 100; round++) volume.write(0, track);
    expect(writes).toBe(1);
    destageArray(place.path, place.parts);
    for (let round = 0; round < 100; round++) volume.write(RECORD, record(round));
    expect(writes).toBe(2);
  });

  test("that cannot be written fails the request, and nothing else", () => {
    let full = false;
    const host = attach(watched(() => {
      if (full) throw new SystemError("ENOSPC", "pwrite", "pending.map");
    }));
    const volume = host.volume("v0");
    volume.write(0, record(1));
    full = true;
    volume.write(0, record(2)); // It is marked already.
    expect(() => volume.write(RECORD, record(3))).toThrow("ENOSPC");
    full = false;
    expect([first(host, "v0", 0), first(host, "v0", RECORD)]).toEqual([2, 0]);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("costs nothing for a TiB that nobody wrote", () => {
    const path = `${place.path}/large`;
    const options = { volumes: 1, volumeBytes: 2 ** 40, boards: 2, cacheBytes: 2 * TRACK };
    createArray(path, { ...options, memory: "memory" }, place.parts);
    const names = readdirSync(path, { recursive: true }).map(String);
    const allocated = names.map((name) => statSync(`${path}/${name}`).blocks * 512);
    expect(allocated.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(MIB);
    const host = attachArray(path, { hostName: "test" }, place.parts);
    host.volume("v0").write(2 ** 40 - RECORD, record(1));
    failPower(path, place.parts);
    host.close();
    const lost = checkArray(path, place.parts).map((finding) => finding.lost?.offsetBytes);
    expect(lost).toEqual([undefined, undefined, 2 ** 40 - RECORD]);
  });
});
