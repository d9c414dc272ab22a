// Creations that meet, and creations that are killed: one array comes out, and nothing is left in
// its way.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ArrayParts, checkArray, createArray, removeArray } from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { filesOver } from "./files_over.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const OPTIONS = { volumes: 2, volumeBytes: 2 ** 20, boards: 2, cacheBytes: 2 ** 18 };
/** What changes something; a creation is killed before each of them in turn. */
const CHANGES = [
  "open",
  "writeAll",
  "writeAllAt",
  "truncate",
  "rename",
  "unlink",
  "makeDirectory",
] as const;

class Killed extends Error {}

let place: TemporaryArray;

beforeEach(async () => {
  place = await temporaryArray();
});
afterEach(() => place.dispose());

/** Files of a process that ends before its n-th change: all it had open is closed then. */
function dyingParts(changes: number): ArrayParts & { readonly end: () => void } {
  const open = new Set<number>();
  let left = changes;
  const own = place.parts.files;
  const dying = CHANGES.map((name) => {
    const change = (...args: never[]) => {
      if (left-- <= 0) throw new Killed();
      const result: unknown = Reflect.apply(own[name], own, args);
      if (name === "open") open.add(Number(result));
      return result;
    };
    return [name, change] as const;
  });
  const close = (descriptor: number) => {
    if (left <= 0) return; // The end of the process closes it.
    open.delete(descriptor);
    own.close(descriptor);
  };
  const files = filesOver(own, { ...Object.fromEntries(dying), close });
  const end = () => {
    for (const descriptor of open) place.parts.files.close(descriptor);
  };
  return { ...place.parts, files, end };
}

describe("createArray()", () => {
  test("killed at any moment is no obstacle to the next one, and its boards do not stay", () => {
    const memory = join(place.path, "..", "shm");
    let kills = 0;
    for (let changes = 0;; changes++) {
      const { end, ...parts } = dyingParts(changes);
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
