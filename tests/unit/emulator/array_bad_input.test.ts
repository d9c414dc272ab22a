// Files that are not what the array made: each is refused with what was found, what is needed and
// what to do, by every way into the array, and not a byte of the directory changes.

import {
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  type ArrayParts,
  arrayStatus,
  attachArray,
  checkArray,
  createArray,
  destageArray,
  failPower,
  repairArray,
} from "../../../emulator/mod.ts";
import { boardLayout, SLOT, STATE } from "../../../emulator/board_layout.ts";
import { encodeDeviceLabel } from "../../../emulator/device_label.ts";
import { decodeGeometry } from "../../../emulator/geometry_file.ts";
import { AgentError, type ErrorCode } from "../../../transport/ground/error.ts";
import { type Files, type PathBytes, SystemError } from "../../../transport/runtime/files.ts";
import { filesOver } from "./files_over.ts";
import { type TemporaryArray, temporaryArray } from "./temporary_array.ts";

const RECORD = 4096;
const MIB = 2 ** 20;
const OPTIONS = { volumes: 2, volumeBytes: MIB, boards: 2, cacheBytes: MIB / 2, memory: "memory" };

let place: TemporaryArray;
let other: string;

beforeEach(async () => {
  place = await temporaryArray();
  other = `${place.path}-other`;
  createArray(place.path, OPTIONS, place.parts);
  createArray(other, OPTIONS, place.parts);
});
afterEach(() => place.dispose());

const here = (name: string) => join(place.path, name);

/** Content of every file but the locks, which are empty, and who held a board last, and when. */
function contents(path: string): Record<string, string> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".lock"))
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    names.sort().map((name) => {
      const bytes = readFileSync(name);
      const state = name.includes("/memory/board") && bytes.length > 2 * RECORD ? RECORD : -1;
      if (state > 0) bytes.fill(0, state + STATE.holder, state + STATE.tick + 4);
      return [name, createHash("sha256").update(bytes).digest("hex")];
    }),
  );
}

function thrown(call: () => unknown): AgentError {
  try {
    call();
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

function patch(name: string, offset: number, bytes: readonly number[]): void {
  const content = readFileSync(here(name));
  content.set(bytes, offset);
  writeFileSync(here(name), content);
}

function swap(one: string, two: string): void {
  const [first, second] = [readFileSync(here(one)), readFileSync(here(two))];
  writeFileSync(here(one), second);
  writeFileSync(here(two), first);
}

interface Case {
  readonly title: string;
  readonly make: () => void;
  readonly code: ErrorCode;
  readonly found: string;
  /** Of `array repair`: what it refuses too; absent where it mends. */
  readonly repair?: "refuses";
}

const CASES: readonly Case[] = [
  {
    title: "a truncated device",
    make: () => truncateSync(here("v0.dev"), 5000),
    code: "damaged",
    found: "5000 bytes, need 1052672",
    repair: "refuses",
  },
  {
    title: "swapped devices",
    make: () => swap("v0.dev", "v1.dev"),
    code: "mismatch",
    found: "need device 0 of array",
    repair: "refuses",
  },
  {
    title: "a device of another array",
    make: () => copyFileSync(join(other, "v0.dev"), here("v0.dev")),
    code: "mismatch",
    found: "need device 0 of array",
    repair: "refuses",
  },
  {
    title: "a device without a label",
    make: () => patch("v1.dev", MIB, new Array<number>(RECORD).fill(0)),
    code: "damaged",
    found: "no label behind the data",
    repair: "refuses",
  },
  {
    title: "a device of a version from the future",
    make: () => {
      const uuid = decodeGeometry(readFileSync(here("array.json")), "x").uuid;
      const label = encodeDeviceLabel({ uuid, index: 0, sizeBytes: MIB });
      label[8] = 9;
      patch("v0.dev", MIB, [...label]);
    },
    code: "unsupported",
    found: "label version 9, need 1",
    repair: "refuses",
  },
  {
    title: "a missing device",
    make: () => rmSync(here("v1.dev")),
    code: "volume",
    found: "ENOENT, need the file",
    repair: "refuses",
  },
  {
    title: "a board of another array",
    make: () => copyFileSync(join(other, "memory/board0"), here("memory/board0")),
    code: "mismatch",
    found: "a board of array",
    repair: "refuses",
  },
  {
    title: "swapped boards",
    make: () => swap("memory/board0", "memory/board1"),
    code: "mismatch",
    found: "board index 1, need 0",
    repair: "refuses",
  },
  {
    title: "a board of a version from the future",
    make: () => patch("memory/board1", 8, [99]),
    code: "unsupported",
    found: "version 99, need 2",
    repair: "refuses",
  },
  {
    title: "a truncated board",
    make: () => truncateSync(here("memory/board1"), 70_000),
    code: "damaged",
    found: "70000 bytes, need",
  },
  {
    title: "a board that is another kind of file",
    make: () => writeFileSync(here("memory/board1"), "something"),
    code: "damaged",
    found: "9 bytes of header, need 4096",
  },
  {
    title: "a pending map of another array",
    make: () => copyFileSync(join(other, "pending.map"), here("pending.map")),
    code: "mismatch",
    found: "the map of array",
    repair: "refuses",
  },
  {
    title: "a pending map of a version from the future",
    make: () => patch("pending.map", 8, [3]),
    code: "unsupported",
    found: "version 3, need 1",
    repair: "refuses",
  },
  {
    title: "a truncated pending map",
    make: () => truncateSync(here("pending.map"), 4100),
    code: "damaged",
    found: "4100 bytes, need",
  },
  {
    title: "a missing pending map",
    make: () => rmSync(here("pending.map")),
    code: "damaged",
    found: "ENOENT, need",
  },
  {
    title: "an array.json of garbage",
    make: () => writeFileSync(here("array.json"), "\u0000 garbage"),
    code: "damaged",
    found: "no JSON text",
    repair: "refuses",
  },
  {
    title: "an array.json of a version from the future",
    make: () => {
      const text = readFileSync(here("array.json"), "utf8");
      writeFileSync(here("array.json"), text.replace('"version": 1', '"version": 7'));
    },
    code: "unsupported",
    found: "format version 7, need 1",
    repair: "refuses",
  },
  {
    title: "the array.json of another array",
    make: () => copyFileSync(join(other, "array.json"), here("array.json")),
    code: "mismatch",
    found: "need device 0 of array",
    repair: "refuses",
  },
];

describe("an array with a file that is not its own", () => {
  for (const { title, make, code, found, repair } of CASES) {
    test(`is refused, and nothing is changed: ${title}`, () => {
      make();
      const before = contents(place.path);
      const errors = [
        thrown(() => attachArray(place.path, { hostName: "test" }, place.parts)),
        thrown(() => destageArray(place.path, place.parts)),
      ];
      if (repair === "refuses") {
        errors.push(thrown(() => repairArray(place.path, { acceptLoss: true }, place.parts)));
      }
      for (const error of errors) {
        expect([error.code, error.message, typeof error.hint]).toEqual(
          [code, expect.stringContaining(found), "string"],
        );
        expect(error.message).toContain("need ");
      }
      const finding = checkArray(place.path, place.parts)
        .find((one) => one.message.includes(found));
      expect(finding?.code).toBe(code);
      expect(contents(place.path)).toEqual(before);
      if (repair === "refuses") return;
      repairArray(place.path, { acceptLoss: false }, place.parts);
      expect(checkArray(place.path, place.parts)).toEqual([]);
      attachArray(place.path, { hostName: "test" }, place.parts).close();
    });
  }

  test("status and power-fail refuse a board of another array too", () => {
    copyFileSync(join(other, "memory/board0"), here("memory/board0"));
    const before = contents(place.path);
    expect(thrown(() => arrayStatus(place.path, place.parts)).code).toBe("mismatch");
    expect(thrown(() => failPower(place.path, place.parts)).code).toBe("mismatch");
    expect(contents(place.path)).toEqual(before);
  });
});

describe("an array with a damaged index", () => {
  const layout = () => boardLayout(decodeGeometry(readFileSync(here("array.json")), "x"), 0);

  for (
    const { title, damage, found } of [
      {
        title: "a slot that names another track",
        damage: () => [layout().slotHeadersOffset + SLOT.track, 9],
        found: "a damaged header of slot 0",
      },
      {
        title: "a pending track without a slot",
        damage: () => [layout().tracksOffset, 0],
        found: "no slot for cached track 0",
      },
      {
        title: "a free list that leads outside",
        damage: () => [layout().stateOffset + STATE.freeHead, 77],
        found: "free slot 76",
      },
    ]
  ) {
    test(`fails the request, and no device changes: ${title}`, () => {
      const host = attachArray(place.path, { hostName: "test" }, place.parts);
      host.volume("v0").write(0, new Uint8Array(RECORD).fill(1));
      const [offset = 0, value = 0] = damage();
      const board = place.parts.files.open(-100, here("memory/board0"), { access: "write" });
      place.parts.files.writeAllAt(board, offset, new Uint8Array([value, 0, 0, 0]));
      place.parts.files.close(board);
      for (let attempt = 0; attempt < 2; attempt++) {
        const error = thrown(() => {
          // A track without a slot asks for a free one.
          host.volume("v0").write(5 * 65536, new Uint8Array(RECORD));
          host.volume("v0").write(0, new Uint8Array(RECORD).fill(1));
          destageArray(place.path, place.parts);
        });
        expect([error.code, error.message]).toEqual(["damaged", expect.stringContaining(found)]);
        expect(error.hint).toContain("agent array repair");
      }
      const device = readFileSync(here("v0.dev")).subarray(0, MIB);
      expect(device.every((byte, at) => byte === 0 || at < RECORD)).toBe(true);
      expect(checkArray(place.path, place.parts).length).toBeGreaterThan(0);
      try {
        host.close();
      } catch {
        // The last one out destages, and finds the same.
      }
      repairArray(place.path, { acceptLoss: false }, place.parts);
      const left = checkArray(place.path, place.parts);
      expect(left.every(({ lost }) => lost !== undefined)).toBe(true);
    });
  }
});

describe("an array that the system refuses", () => {
  /** Files that fail with `errno` in `call` on a path, or a descriptor of one, that ends so. */
  function failing(call: "open" | "writeAllAt", ending: string, errno: string): ArrayParts {
    const paths = new Map<number, PathBytes>();
    const fails = (path: PathBytes | undefined) => {
      if (String(path).includes(ending)) throw new SystemError(errno, call, String(path));
    };
    const own = place.parts.files;
    const open: Files["open"] = (directory, path, flags) => {
      if (call === "open") fails(path);
      const descriptor = own.open(directory, path, flags);
      paths.set(descriptor, path);
      return descriptor;
    };
    const writeAllAt: Files["writeAllAt"] = (descriptor, offsetBytes, from) => {
      if (call === "writeAllAt") fails(paths.get(descriptor));
      own.writeAllAt(descriptor, offsetBytes, from);
    };
    return { ...place.parts, files: filesOver(own, { open, writeAllAt }) };
  }

  test("says which file may not be opened, and changes nothing", () => {
    for (const name of ["v0.dev", "board1", "pending.map"]) {
      const before = contents(place.path);
      const parts = failing("open", name, "EACCES");
      const error = thrown(() => attachArray(place.path, { hostName: "test" }, parts));
      expect(error.message).toContain(name);
      expect(error.message).toContain("EACCES, need");
      expect(error.hint).toMatch(/user|owner/);
      expect(contents(place.path)).toEqual(before);
    }
  });

  test("createArray() without space for the cache leaves nothing", () => {
    const path = `${place.path}-new`;
    const parts = failing("writeAllAt", "board1", "ENOSPC");
    const error = thrown(() => createArray(path, OPTIONS, parts));
    expect([error.code, error.message]).toEqual(
      ["no_space", expect.stringContaining("ENOSPC, need space")],
    );
    expect(error.hint).toContain("--cache");
    createArray(path, OPTIONS, place.parts);
    expect(checkArray(path, place.parts)).toEqual([]);
  });
});
