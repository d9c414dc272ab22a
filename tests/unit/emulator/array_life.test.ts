// Creating, attaching, losing power, removing: what works, and what is refused with what code.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  arrayStatus,
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
  destageArray,
  removeArray,
} from "../../../emulator/mod.ts";
import { AgentError } from "../../../transport/ground/error.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const SMALL = { volumes: 2, volumeBytes: 2 ** 20, boards: 2, cacheBytes: 2 ** 19 };

let place: TemporaryArray;
let hosts: AttachedArray[] = [];

beforeEach(async () => {
  place = await temporaryArray();
});
afterEach(async () => {
  for (const host of hosts) host.close();
  hosts = [];
  await place.dispose();
});

function create(): void {
  createArray(place.path, { ...SMALL, memory: "memory" }, place.parts);
}

function attach(): AttachedArray {
  const host = attachArray(place.path, { hostName: "test" }, place.parts);
  hosts.push(host);
  return host;
}

function thrown(call: () => unknown): AgentError {
  try {
    call();
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("createArray()", () => {
  test("takes a missing or an empty directory, and its memory goes with the array", () => {
    mkdirSync(place.path);
    const geometry = createArray(place.path, SMALL, place.parts);
    const { memory, attached } = arrayStatus(place.path, place.parts);
    try {
      expect(geometry.devices.map((device) => device.name)).toEqual(["v0", "v1"]);
      expect(attached).toBe(false);
      expect(readdirSync(memory).sort()).toEqual(["board0", "board1"]);
    } finally {
      removeArray(place.path, place.parts);
    }
    expect(existsSync(memory)).toBe(false);
    expect(existsSync(place.path)).toBe(false);
  });

  test("costs nothing for a TiB that nobody wrote", () => {
    const options = { ...SMALL, volumes: 1, volumeBytes: 2 ** 40, memory: "memory" };
    createArray(place.path, options, place.parts);
    expect(arrayStatus(place.path, place.parts).devices[0]?.allocatedBytes).toBeLessThan(2 ** 16);
    const volume = attach().volume("v0");
    const bytes = new Uint8Array(RECORD).fill(1);
    volume.write(2 ** 40 - RECORD, bytes);
    const found = new Uint8Array(RECORD);
    volume.read(2 ** 40 - RECORD, found);
    expect(found).toEqual(bytes);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("refuses an array, a full directory, and numbers out of range", () => {
    create();
    expect(thrown(create).code).toBe("busy");
    rmSync(`${place.path}/array.json`);
    expect(thrown(create).message).toContain("need an empty directory");
    const fresh = `${place.path}2`;
    for (const wrong of [{ volumes: 0 }, { volumeBytes: -1 }, { boards: 0 }, { cacheBytes: 0 }]) {
      const options = { ...SMALL, memory: "memory", ...wrong };
      expect(thrown(() => createArray(fresh, options, place.parts)).code).toBe("usage");
      expect(existsSync(fresh)).toBe(false);
    }
  });

  test("leaves nothing behind when the memory directory cannot be made", () => {
    const options = { ...SMALL, memory: "/proc/none/memory" };
    expect(thrown(() => createArray(place.path, options, place.parts)).code).toBe("failed");
    expect(existsSync(place.path)).toBe(false);
  });
});

describe("attachArray()", () => {
  test("volume() names the volumes that exist when one does not", () => {
    create();
    const error = thrown(() => attach().volume("v9"));
    expect(error.code).toBe("not_found");
    expect(error.message).toContain("v0 to v1");
  });

  test("refuses a directory without an array", () => {
    expect(thrown(attach).code).toBe("not_found");
  });

  test("refuses device files that are missing, cut, or swapped, and changes nothing", () => {
    create();
    const before = readFileSync(`${place.path}/v0.dev`);
    renameSync(`${place.path}/v0.dev`, `${place.path}/x`);
    expect(thrown(attach).code).toBe("volume");
    renameSync(`${place.path}/v1.dev`, `${place.path}/v0.dev`);
    renameSync(`${place.path}/x`, `${place.path}/v1.dev`);
    expect(thrown(attach).code).toBe("mismatch");
    expect(checkArray(place.path, place.parts).map((finding) => finding.code)).toEqual(
      ["mismatch", "mismatch"],
    );
    renameSync(`${place.path}/v0.dev`, `${place.path}/x`);
    renameSync(`${place.path}/v1.dev`, `${place.path}/v0.dev`);
    renameSync(`${place.path}/x`, `${place.path}/v1.dev`);
    expect(readFileSync(`${place.path}/v0.dev`).equals(before)).toBe(true);
    truncateSync(`${place.path}/v1.dev`, 1000);
    expect(thrown(attach).message).toContain("1000 bytes, need 1052672");
  });

  test("refuses a board of another array, swapped boards, and a cut board", () => {
    create();
    const other = `${place.path}2`;
    createArray(other, { ...SMALL, memory: "memory" }, place.parts);
    const board = `${place.path}/memory/board0`;
    const own = readFileSync(board);
    writeFileSync(board, readFileSync(`${other}/memory/board0`));
    expect(thrown(attach).code).toBe("mismatch");
    writeFileSync(board, readFileSync(`${place.path}/memory/board1`));
    expect(thrown(attach).code).toBe("mismatch");
    writeFileSync(board, own.subarray(0, 70_000));
    expect(thrown(attach).code).toBe("damaged");
    writeFileSync(board, own);
    attach();
  });

  test("makes lost boards anew, says so, and has what was destaged", () => {
    create();
    const volume = attach().volume("v0");
    const bytes = new Uint8Array(RECORD).fill(9);
    volume.write(0, bytes);
    expect(destageArray(place.path, place.parts)).toEqual({ tracks: 1 });
    volume.write(RECORD, bytes);
    rmSync(`${place.path}/memory`, { recursive: true });
    const error = thrown(attach);
    expect(error.message).toContain("gone while others are attached");
    // The machine went down: nothing is destaged on the way out.
    hosts[0]?.close();
    hosts = [];
    expect(arrayStatus(place.path, place.parts).missingBoards).toEqual([0, 1]);
    expect(checkArray(place.path, place.parts)).toHaveLength(2);
    const again = attach();
    expect(again.counters().replacedBoards).toBe(2);
    const found = new Uint8Array(RECORD);
    again.volume("v0").read(0, found);
    expect(found).toEqual(bytes);
    expect(checkArray(place.path, place.parts)).toEqual([]);
  });

  test("close() ends the volumes and the last one out destages", () => {
    create();
    const [one, two] = [attach(), attach()];
    const volume = one.volume("v0");
    volume.write(0, new Uint8Array(RECORD).fill(3));
    one.close();
    expect(thrown(() => volume.read(0, new Uint8Array(RECORD))).code).toBe("closed");
    expect(thrown(() => one.volume("v0")).code).toBe("closed");
    expect(arrayStatus(place.path, place.parts).devices[0]?.writePending).toBe(1);
    two.close();
    expect(arrayStatus(place.path, place.parts).devices[0]?.writePending).toBe(0);
    expect(readFileSync(`${place.path}/v0.dev`)[0]).toBe(3);
  });
});

describe("checkArray()", () => {
  test("finds an index that does not fit the slots", () => {
    create();
    const host = attach();
    host.volume("v0").write(0, new Uint8Array(RECORD));
    const board = `${place.path}/memory/board0`;
    const { freeHead } = { freeHead: 4096 + 16 };
    const bytes = readFileSync(board);
    const descriptor = place.parts.files.open(-100, board, { access: "read-write" });
    try {
      place.parts.files.writeAllAt(descriptor, freeHead, new Uint8Array([7, 0, 0, 0]));
      expect(checkArray(place.path, place.parts).length).toBeGreaterThan(0);
      const good = new Uint8Array(bytes.subarray(freeHead, freeHead + 4));
      place.parts.files.writeAllAt(descriptor, freeHead, good);
      expect(checkArray(place.path, place.parts)).toEqual([]);
    } finally {
      place.parts.files.close(descriptor);
    }
  });

  test("reports a damaged geometry and throws when there is no array", () => {
    create();
    writeFileSync(`${place.path}/array.json`, "{}");
    expect(checkArray(place.path, place.parts)[0]?.code).toBe("damaged");
    rmSync(`${place.path}/array.json`);
    expect(thrown(() => checkArray(place.path, place.parts)).code).toBe("not_found");
  });
});

describe("removeArray()", () => {
  test("refuses while somebody is attached, and leaves files of others", () => {
    create();
    const host = attach();
    expect(thrown(() => removeArray(place.path, place.parts)).code).toBe("busy");
    host.close();
    writeFileSync(`${place.path}/note.txt`, "mine");
    removeArray(place.path, place.parts);
    expect(readdirSync(place.path)).toEqual(["note.txt"]);
  });
});
