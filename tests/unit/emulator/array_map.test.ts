// The data of the picture: what is where, in bins, for small devices and for one of 1 TiB.

import { expect, test } from "bun:test";
import { arrayMap, attachArray, createArray } from "../../../emulator/mod.ts";
import { ArrayDirectory } from "../../../emulator/array_directory.ts";
import { openBoards } from "../../../emulator/system_bus.ts";
import { temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const TRACK = 65536;
const MIB = 2 ** 20;

test("arrayMap() shows what is in cache, pending and damaged, by bins of cylinders", async () => {
  const place = await temporaryArray();
  try {
    const TIB = 2 ** 40;
    createArray(place.path, {
      volumes: 2,
      volumeBytes: TIB,
      boards: 3,
      cacheBytes: 48 * TRACK,
      memory: "memory",
    }, place.parts);
    const host = attachArray(place.path, { hostName: "test" }, place.parts);
    const record = new Uint8Array(RECORD);
    // Cylinders 0 to 2 lie on all three boards and in one bin, 1024 in the next.
    for (const at of [0, MIB, 2 * MIB + 5 * TRACK, 1024 * MIB]) host.volume("v0").write(at, record);
    host.volume("v1").read(TIB - RECORD, record);
    const boards = openBoards(place.parts, {
      directory: new ArrayDirectory(place.path),
      geometry: host.geometry,
    }, 1);
    // The last cylinder of v0: 2^20 - 1 is cylinder 349525 of board 0.
    boards[0]?.cache.index.setDamaged(349_525 * 16 + 3, 0, 1);
    const expected = { cylinders: 2 ** 20, cylindersPerBin: 1024, tracksPerCylinder: 16 };
    expect(arrayMap(place.path, place.parts)).toEqual([{
      name: "v0",
      ...expected,
      bins: [
        { bin: 0, inCache: 3, writePending: 3, damaged: 0 },
        { bin: 1, inCache: 1, writePending: 1, damaged: 0 },
        { bin: 1023, inCache: 0, writePending: 0, damaged: 1 },
      ],
    }, {
      name: "v1",
      ...expected,
      bins: [{ bin: 1023, inCache: 1, writePending: 0, damaged: 0 }],
    }]);
    for (const board of boards) board.close();
    host.close();
  } finally {
    await place.dispose();
  }
});
