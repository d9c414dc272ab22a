// Where cylinders, tracks and tables lie, and the bitmaps of records.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { boardLayout } from "../../../emulator/board_layout.ts";
import { cylindersOnBoard, makeGeometry, trackOffset } from "../../../emulator/geometry.ts";
import { CYLINDER_BYTES, TRACK_BYTES, TRACKS_PER_CYLINDER } from "../../../emulator/limits.ts";
import { forEachRun, recordsOf } from "../../../emulator/record_runs.ts";
import { AgentError } from "../../../transport/ground/error.ts";

const uuid = "00112233-4455-4677-8899-aabbccddeeff";

describe("makeGeometry()", () => {
  test("rounds sizes up to cylinders and numbers them through", () => {
    const geometry = makeGeometry({
      uuid,
      deviceBytes: [1, CYLINDER_BYTES + 1],
      boards: 2,
      slotsPerBoard: 4,
      memory: "memory",
    });
    expect(geometry.devices.map((device) => [device.name, device.cylinders, device.firstCylinder]))
      .toEqual([["v0", 1, 0], ["v1", 2, 1]]);
    expect(geometry.cylinders).toBe(3);
  });

  test("refuses what is out of the limits", () => {
    const good = { uuid, deviceBytes: [1], boards: 1, slotsPerBoard: 1, memory: "memory" };
    for (
      const wrong of [
        { deviceBytes: [] },
        { deviceBytes: [0] },
        { deviceBytes: [Number.NaN] },
        { deviceBytes: [2 ** 53] },
        { boards: 0 },
        { boards: 17 },
        { boards: 1.5 },
        { slotsPerBoard: 0 },
      ]
    ) expect(() => makeGeometry({ ...good, ...wrong })).toThrow(AgentError);
  });

  test("every track has one place, and trackOffset() leads back from it", () => {
    fc.assert(fc.property(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (cylinders, boards) => {
        const deviceBytes = cylinders.map((count) => count * CYLINDER_BYTES);
        const geometry = makeGeometry({ uuid, deviceBytes, boards, slotsPerBoard: 1, memory: "m" });
        const seen = new Set<string>();
        let count = 0;
        for (let board = 0; board < boards; board++) {
          const tracks = cylindersOnBoard(geometry, board) * TRACKS_PER_CYLINDER;
          for (let track = 0; track < tracks; track++) {
            const cylinder = Math.floor(track / TRACKS_PER_CYLINDER) * boards + board;
            const device = geometry.devices.find((one) =>
              cylinder >= one.firstCylinder && cylinder < one.firstCylinder + one.cylinders
            );
            if (device === undefined) throw new Error(`no device has cylinder ${cylinder}`);
            const offset = trackOffset(geometry, device, { board, track });
            expect(offset % TRACK_BYTES).toBe(0);
            expect(offset).toBeLessThan(device.sizeBytes);
            seen.add(`${device.name} ${offset}`);
            count++;
          }
        }
        expect(seen.size).toBe(count);
        expect(count * TRACK_BYTES).toBe(deviceBytes.reduce((sum, bytes) => sum + bytes, 0));
      },
    ));
  });
});

describe("boardLayout()", () => {
  test("puts tables of a TiB one after the other without overlap", () => {
    const geometry = makeGeometry({
      uuid,
      deviceBytes: [2 ** 40],
      boards: 4,
      slotsPerBoard: 256,
      memory: "m",
    });
    const layout = boardLayout(geometry, 3);
    const offsets = [
      layout.stateOffset,
      layout.devicesOffset,
      layout.bandsOffset,
      layout.cylindersOffset,
      layout.tracksOffset,
      layout.slotHeadersOffset,
      layout.slotsOffset,
      layout.totalBytes,
    ];
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    expect(layout.slotsOffset % TRACK_BYTES).toBe(0);
    expect(layout.totalBytes).toBe(layout.slotsOffset + 256 * TRACK_BYTES);
  });

  test("refuses a board that cannot be mapped", () => {
    const input = { uuid, deviceBytes: [16 * 2 ** 40], boards: 1, memory: "m" };
    const geometry = makeGeometry({ ...input, slotsPerBoard: 32768 });
    expect(() => boardLayout(geometry, 0)).toThrow(/need at most/);
  });
});

describe("record bitmaps", () => {
  test("recordsOf() covers the touched records and forEachRun() gives them in order", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff }), (records) => {
      let joined = 0;
      let end = -1;
      forEachRun(records, (first, count) => {
        expect(first).toBeGreaterThan(end);
        end = first + count;
        joined |= recordsOf(first * 4096, count * 4096);
      });
      expect(joined).toBe(records);
    }));
    expect(recordsOf(0, TRACK_BYTES)).toBe(0xffff);
    expect(recordsOf(4096, 1)).toBe(2);
  });
});
