// One cluster's archive: what it takes, what it refuses, and what each crash leaves of a `store`.

import { Buffer } from "node:buffer";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import { SystemError } from "../../../../transport/runtime/mod.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import { decompressFrame } from "../../../../agent/media/mod.ts";
import { WalArchive } from "../../../../agent/wal/mod.ts";
import type { WalArchiveOptions } from "../../../../agent/wal/mod.ts";
import { files, withFolder } from "../media/media_fixture.ts";
import { Crash, failingFiles } from "../vault/vault_fixture.ts";
import { makeSegment, NAME, packed, SEGMENT_BYTES, SYSTEM, textBytes } from "./wal_fixture.ts";

const HISTORY = "00000002.history";
const HISTORY_TEXT = textBytes("1\t0/30000D8\tno recovery target specified\n");
/** Small, and kept where segments are. */
const BACKUP = `${NAME}.00000028.backup`;
const SMALL_TEXT = textBytes("START WAL LOCATION: 0/2000028 (file 000000010000000000000002)\n");
const SMALL = packed(SMALL_TEXT);
const FOLDER = `wal/web01/pg/${SYSTEM}/0000000100000001`;

function open(directory: string, fields: Partial<WalArchiveOptions> = {}): WalArchive {
  return WalArchive.open({
    files,
    directory,
    client: "web01",
    database: "pg",
    system: SYSTEM,
    ...fields,
  });
}

async function codeOf(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

describe("WalArchive.store()", () => {
  test("keeps files under their names, and reads them back", async () => {
    await withFolder(async (folder) => {
      const archive = open(folder);
      const segment = makeSegment();
      expect(await archive.store(NAME, packed(segment))).toBe("stored");
      expect(await archive.store(HISTORY, packed(HISTORY_TEXT))).toBe("stored");
      expect(existsSync(`${folder}/${FOLDER}/${NAME}.zst`)).toBe(true);
      expect(existsSync(`${folder}/wal/web01/pg/${SYSTEM}/${HISTORY}.zst`)).toBe(true);
      const stored = archive.read(NAME) ?? new Uint8Array();
      expect(decompressFrame(stored, SEGMENT_BYTES)).toEqual(segment);
      expect(await archive.readContent(HISTORY)).toEqual(HISTORY_TEXT);
      expect(archive.contentBytes(NAME)).toBe(SEGMENT_BYTES);
      expect([...archive.list()].map(({ file, sizeBytes }) => [file.name, sizeBytes]))
        .toEqual([[HISTORY, packed(HISTORY_TEXT).compressed.length], [NAME, stored.length]]);
    });
  });

  test("says same for the same content, however it was compressed", async () => {
    await withFolder(async (folder) => {
      await open(folder).store(NAME, packed(makeSegment(), 1));
      const before = open(folder).read(NAME);
      expect(await open(folder).store(NAME, packed(makeSegment(), 1))).toBe("same");
      expect(await open(folder).store(NAME, packed(makeSegment(), 9))).toBe("same");
      expect(open(folder).read(NAME)).toEqual(before);
    });
  });

  test("never replaces a file by another one", async () => {
    await withFolder(async (folder) => {
      const archive = open(folder);
      await archive.store(NAME, packed(makeSegment()));
      await archive.store(HISTORY, packed(HISTORY_TEXT));
      const before = archive.read(NAME);
      expect(await codeOf(() => archive.store(NAME, packed(makeSegment({ fill: 1 })))))
        .toBe("mismatch");
      expect(await codeOf(() => archive.store(HISTORY, packed(textBytes("1\t0/1\tx\n")))))
        .toBe("mismatch");
      expect(archive.read(NAME)).toEqual(before);
      expect(await archive.readContent(HISTORY)).toEqual(HISTORY_TEXT);
    });
  });

  test("refuses another cluster's segment, and what is no segment or no frame", async () => {
    await withFolder(async (folder) => {
      const archive = open(folder);
      const good = packed(makeSegment());
      const two = new Uint8Array([...packed(HISTORY_TEXT).compressed, ...good.compressed]);
      const cut = good.compressed.subarray(0, good.compressed.length - 1);
      const flipped = good.compressed.slice();
      flipped[flipped.length - 1] = (flipped[flipped.length - 1] ?? 0) ^ 1;
      const wrong: [string, { compressed: Uint8Array; bytes: number }, string][] = [
        [NAME, packed(makeSegment({ system: "1" })), "mismatch"],
        [NAME, packed(makeSegment({ address: 0n })), "mismatch"],
        [NAME, packed(new Uint8Array(SEGMENT_BYTES)), "damaged"],
        [NAME, { ...good, bytes: SEGMENT_BYTES - 1 }, "damaged"],
        [NAME, { ...good, bytes: 2 ** 40 }, "damaged"],
        [NAME, { ...good, compressed: cut }, "damaged"],
        [NAME, { ...good, compressed: flipped }, "damaged"],
        [NAME, { ...good, compressed: two }, "damaged"],
        [NAME, { compressed: makeSegment(), bytes: SEGMENT_BYTES }, "damaged"],
        [HISTORY, packed(new Uint8Array(5 * 1024 * 1024)), "damaged"],
        ["../../x", good, "usage"],
        [`${NAME}.zst`, good, "usage"],
      ];
      for (const [name, content, code] of wrong) {
        expect([name, await codeOf(() => archive.store(name, content))]).toEqual([name, code]);
      }
      expect(existsSync(`${folder}/wal`)).toBe(false);
    });
  });

  test("has no room for a frame that says less than it has", async () => {
    await withFolder(async (folder) => {
      // The frame's own content size, at offset 5 of a single segment, is changed.
      const bomb = packed(new Uint8Array(16 * SEGMENT_BYTES)).compressed.slice();
      const at = ((bomb[4] ?? 0) & 0x20) !== 0 ? 5 : 6;
      new DataView(bomb.buffer).setUint32(at, SEGMENT_BYTES, true);
      expect(
        await codeOf(() => open(folder).store(NAME, { compressed: bomb, bytes: SEGMENT_BYTES })),
      )
        .toBe("damaged");
    });
  });

  test("ends right when two write one name at once", async () => {
    await withFolder(async (folder) => {
      const stores = [1, 3, 5, 7].map((level) =>
        open(folder).store(NAME, packed(makeSegment(), level))
      );
      expect((await Promise.all(stores)).sort()).toEqual(["same", "same", "same", "stored"]);
      const others = [open(folder), open(folder)].map((archive, index) => {
        const segment = makeSegment({ timeline: 1, fill: index });
        return codeOf(() => archive.store(`${NAME}.partial`, packed(segment)));
      });
      expect((await Promise.all(others)).sort()).toEqual(["mismatch", "nothing thrown"]);
      expect(readdirSync(`${folder}/${FOLDER}`).sort())
        .toEqual([`${NAME}.partial.zst`, `${NAME}.zst`]);
    });
  });
});

describe("WalArchive.read()", () => {
  test("says that a file is not there only of an archive that is", async () => {
    await withFolder(async (folder) => {
      expect(await codeOf(() => open(folder).read(NAME))).toBe("failed");
      await open(folder).store(HISTORY, packed(HISTORY_TEXT));
      expect(open(folder).read(NAME)).toBe(null);
      expect(open(folder).read("00000003.history")).toBe(null);
      // What cannot be read is not absent.
      mkdirSync(`${folder}/${FOLDER}/${NAME}.zst`, { recursive: true });
      expect(await codeOf(() => open(folder).read(NAME))).toBe("failed");
      expect(await codeOf(() => open(folder, { system: "99" }).read(NAME))).toBe("failed");
      expect(await codeOf(() => open(folder).read("secret"))).toBe("usage");
    });
  });
});

describe("WalArchive.open()", () => {
  test("takes only names that are one part of a path", async () => {
    await withFolder(async (folder) => {
      for (const name of ["", ".", "..", "a/b", "/", "a\0b", ".hidden"]) {
        expect(await codeOf(() => open(folder, { client: name }))).toBe("usage");
        expect(await codeOf(() => open(folder, { database: name }))).toBe("usage");
        expect(await codeOf(() => open(folder, { system: name }))).toBe("usage");
      }
    });
  });

  test("WalArchive.systems() and owners() list what there is", async () => {
    await withFolder(async (folder) => {
      const options = { files, directory: folder, client: "web01", database: "pg" };
      expect(WalArchive.systems(options)).toEqual([]);
      expect(WalArchive.owners(options)).toEqual([]);
      for (const system of [SYSTEM, "99"]) {
        await open(folder, { system }).store(HISTORY, packed(HISTORY_TEXT));
      }
      expect(WalArchive.systems(options)).toEqual(["99", SYSTEM]);
      expect(WalArchive.owners(options)).toEqual([{ client: "web01", database: "pg" }]);
      expect(await codeOf(() => WalArchive.systems({ ...options, directory: `${folder}/gone` })))
        .toBe("failed");
    });
  });
});

describe("WalArchive.store(), cut off", () => {
  async function calls(through: ReturnType<typeof failingFiles>, again: boolean): Promise<number> {
    await withFolder(async (folder) => {
      if (again) await open(folder).store(BACKUP, SMALL);
      await open(folder, { files: through }).store(BACKUP, SMALL);
    });
    return through.calls;
  }

  for (const how of ["crash", "torn"] as const) {
    test(`leaves nothing or the whole file after a ${how} at every call, and goes on`, async () => {
      const count = await calls(failingFiles(Infinity, how), false);
      expect(count).toBeGreaterThan(20);
      const outcomes = new Set<string>();
      for (let failAt = 1; failAt <= count; failAt++) {
        await withFolder(async (folder) => {
          const dying = failingFiles(failAt, how);
          await expect(open(folder, { files: dying }).store(BACKUP, SMALL)).rejects.toThrow(Crash);
          dying.bury();
          const path = `${folder}/${FOLDER}/${BACKUP}.zst`;
          if (existsSync(path)) {
            expect(Buffer.compare(readFileSync(path), SMALL.compressed)).toBe(0);
          }
          expect([...open(folder).list()].length).toBe(existsSync(path) ? 1 : 0);
          outcomes.add(await open(folder).store(BACKUP, SMALL));
          expect(await open(folder).readContent(BACKUP)).toEqual(SMALL_TEXT);
          expect(readdirSync(`${folder}/${FOLDER}`)).toEqual([`${BACKUP}.zst`]);
        });
      }
      expect([...outcomes].sort()).toEqual(["same", "stored"]);
    });
  }

  test("fails without a trace when the disk is full, and works once there is space", async () => {
    const count = await calls(failingFiles(Infinity, "ENOSPC"), false);
    const codes = new Set<string>();
    for (let failAt = 1; failAt <= count; failAt++) {
      await withFolder(async (folder) => {
        const full = failingFiles(failAt, "ENOSPC");
        codes.add(
          await codeOf(() => open(folder, { files: full }).store(BACKUP, SMALL)),
        );
        expect(["stored", "same"]).toContain(await open(folder).store(BACKUP, SMALL));
        expect(readdirSync(`${folder}/${FOLDER}`)).toEqual([`${BACKUP}.zst`]);
      });
    }
    expect([...codes].sort()).toEqual(["no_space"]);
  });

  test("fails as it is when the same file cannot be made durable", async () => {
    await withFolder(async (folder) => {
      await open(folder).store(NAME, packed(makeSegment()));
      let syncs = 0;
      const broken = through("sync", () => {
        syncs++;
        throw new SystemError("EIO", "fsync", "x");
      });
      const store = () => open(folder, { files: broken }).store(NAME, packed(makeSegment()));
      expect(await codeOf(store)).toBe("failed");
      expect(syncs).toBe(1);
    });
  });
});

describe("WalArchive.store(), durable", () => {
  test("syncs content before the name, then the name and those above it", async () => {
    await withFolder(async (folder) => {
      expect(await durableSteps(folder)).toEqual([
        "mkdir wal, sync .",
        "mkdir wal/web01, sync wal",
        "mkdir wal/web01/pg, sync wal/web01",
        `mkdir wal/web01/pg/${SYSTEM}, sync wal/web01/pg`,
        `mkdir ${FOLDER}, sync wal/web01/pg/${SYSTEM}`,
        `sync ${FOLDER}/${NAME}.zst.new`,
        `link ${FOLDER}/${NAME}.zst`,
        `sync ${FOLDER}`,
      ].flatMap((steps) => steps.split(", ")));
    });
  });

  test("syncs a file that is there already, whoever added it, and every name above it", async () => {
    await withFolder(async (folder) => {
      mkdirSync(`${folder}/${FOLDER}`, { recursive: true });
      writeFileSync(`${folder}/${FOLDER}/${NAME}.zst`, packed(makeSegment()).compressed);
      expect(await durableSteps(folder)).toEqual([
        "sync .",
        "sync wal",
        "sync wal/web01",
        "sync wal/web01/pg",
        `sync wal/web01/pg/${SYSTEM}`,
        `sync ${FOLDER}/${NAME}.zst`,
        `sync ${FOLDER}`,
      ]);
    });
  });
});

/** What a `store` does that concerns durability, in order. */
async function durableSteps(folder: string): Promise<string[]> {
  const steps: string[] = [];
  const opened = new Map<number, string>();
  const short = (path: unknown) => String(path).slice(folder.length + 1) || ".";
  const watched = new Proxy(files, {
    get(target, key: keyof Files) {
      const call = target[key];
      if (typeof call !== "function") return call;
      return (...parameters: unknown[]) => {
        const result: unknown = Reflect.apply(call, target, parameters);
        if (key === "open" && typeof result === "number") opened.set(result, short(parameters[1]));
        if (key === "sync") steps.push(`sync ${opened.get(Number(parameters[0]))}`);
        if (key === "makeDirectory") steps.push(`mkdir ${short(parameters[1])}`);
        if (key === "link") steps.push(`link ${short(parameters[3])}`);
        return result;
      };
    },
  });
  await open(folder, { files: watched }).store(NAME, packed(makeSegment()));
  return steps;
}

/** Files with one call replaced. */
function through<K extends keyof Files>(key: K, call: Files[K]): Files {
  return new Proxy(files, {
    get: (target, name: keyof Files) => name === key ? call : bound(target, name),
  });
}

function bound(target: Files, name: keyof Files): unknown {
  const call = target[name];
  return typeof call === "function" ? call.bind(target) : call;
}
