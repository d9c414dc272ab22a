// Creations that meet, and creations that are killed: one array comes out, and nothing is left in
// its way.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { checkArray, createArray, removeArray } from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { dyingParts, Killed } from "./dying_parts.ts";
import { filesOver } from "./files_over.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const OPTIONS = { volumes: 2, volumeBytes: 2 ** 20, boards: 2, cacheBytes: 2 ** 18 };

let place: TemporaryArray;

beforeEach(async () => {
  place = await temporaryArray();
});
afterEach(() => place.dispose());

describe("createArray()", () => {
  test("killed at any moment is no obstacle to the next one, and its boards do not stay", () => {
    const memory = join(place.path, "..", "shm");
    let kills = 0;
    for (let changes = 0;; changes++) {
      const { end, ...parts } = dyingParts(place.parts, changes);
      try {
        createArray(place.path, { ...OPTIONS, memory }, parts);
        break;
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        kills++;
      } finally {
        end();
      }
      // Its boards lie elsewhere than those of the next one. At the very end the array was whole.
      const isWhole = existsSync(join(place.path, "array.json"));
      if (!isWhole) createArray(place.path, { ...OPTIONS, memory: "memory" }, place.parts);
      expect(existsSync(memory)).toBe(isWhole);
      expect(checkArray(place.path, place.parts)).toEqual([]);
      removeArray(place.path, place.parts);
    }
    expect(kills).toBeGreaterThan(15);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("refuses while another one is at work in the directory", () => {
    const { files } = place.parts;
    let met: unknown;
    const meeting = filesOver(files, {
      truncate(descriptor: number, sizeBytes: number): void {
        try {
          createArray(place.path, { ...OPTIONS, memory: "memory" }, place.parts);
        } catch (error) {
          met = error;
        }
        files.truncate(descriptor, sizeBytes);
      },
    });
    createArray(place.path, { ...OPTIONS, memory: "memory" }, { ...place.parts, files: meeting });
    expect(met instanceof AgentError && [met.code, met.message]).toEqual(
      ["busy", expect.stringContaining("another process sets one up there")],
    );
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("leaves a directory of others as it is", () => {
    mkdirSync(place.path);
    writeFileSync(join(place.path, "note.txt"), "mine");
    expect(() => createArray(place.path, OPTIONS, place.parts)).toThrow("need an empty directory");
    writeFileSync(join(place.path, "array.json.new"), "mine too");
    expect(() => createArray(place.path, OPTIONS, place.parts)).toThrow("no JSON text");
    expect(readdirSync(place.path).filter((name) => name !== "setup.lock").sort()).toEqual(
      ["array.json.new", "note.txt"],
    );
  });
});
