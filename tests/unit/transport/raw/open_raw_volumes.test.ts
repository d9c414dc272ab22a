// Opening raw volumes, on files and devices, and finding out what a medium takes.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../../../transport/ground/error.ts";
import { openRawVolumes } from "../../../../transport/raw/mod.ts";
import { probeMedium } from "../../../../transport/raw/probe_medium.ts";
import { SystemError } from "../../../../transport/runtime/mod.ts";
import { describeOnLoop, LoopDevice } from "./loop_device.ts";
import { openRaw, RawFiles, runtime } from "./raw_files.ts";

const SIZE_BYTES = 4 * 1024 * 1024;
const { directIo, files } = runtime;

async function failure(wait: Promise<unknown> | undefined): Promise<AgentError> {
  const error: unknown = await Promise.resolve(wait).then(() => null, (thrown) => thrown);
  if (error instanceof AgentError) return error;
  throw new Error(`found ${error}, need an AgentError`);
}

describe("openRawVolumes()", () => {
  let folder: RawFiles;
  beforeEach(() => {
    folder = new RawFiles();
  });
  afterEach(() => folder[Symbol.dispose]());

  test("opens all volumes of a group, or none", async () => {
    const paths = ["one", "two"].map((name) => folder.make(name, SIZE_BYTES));
    const volumes = await openRawVolumes(paths, runtime);
    expect(volumes.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual(
      paths.map((path) => [path, SIZE_BYTES]),
    );
    for (const volume of volumes) volume.close();
    const before = files.list(files.open(-100, "/proc/self/fd", { access: "read" })).length;
    const wrong = [...paths, join(folder.folder, "missing")];
    expect((await failure(openRawVolumes(wrong, runtime))).code).toBe("not_found");
    const after = files.list(files.open(-100, "/proc/self/fd", { access: "read" })).length;
    // The two listings are open themselves.
    expect(after).toBe(before + 1);
  });

  test("refuses what is no medium, with the path", async () => {
    const directory = join(folder.folder, "folder");
    mkdirSync(directory);
    const cases: readonly [path: string, code: AgentError["code"]][] = [
      ["/dev/null", "usage"],
      [directory, "usage"],
      [folder.make("tiny", 8191), "no_space"],
      [join(folder.folder, "missing"), "not_found"],
    ];
    for (const [path, code] of cases) {
      const error = await failure(openRawVolumes([path], runtime));
      expect([error.code, error.message.includes(`"${path}"`)]).toEqual([code, true]);
      expect(error.hint).not.toBe(undefined);
    }
  });

  test("refuses a file system without direct I/O, and never goes without it", async () => {
    const path = folder.make("lun", SIZE_BYTES);
    const refusing = new Proxy(files, {
      get: (real, key) => {
        const member: unknown = Reflect.get(real, key);
        if (key !== "open") return typeof member === "function" ? member.bind(real) : member;
        return () => {
          throw new SystemError("EINVAL", "openat", path);
        };
      },
    });
    const error = await failure(openRawVolumes([path], { ...runtime, files: refusing }));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("has no direct I/O, need O_DIRECT");
  });

  test("a volume says where it failed when its medium is cut short", async () => {
    const path = folder.make("lun", SIZE_BYTES);
    const volume = await openRaw(path);
    truncateSync(path, 4096 + 512);
    const error = await failure(volume.read(4096, volume.allocate(4096)));
    expect(error.message).toContain(`Cannot read volume "${path}" at byte 4096: only 512 bytes`);
    volume.close();
  });

  test("operations that were called without waiting run together and all complete", async () => {
    const volume = await openRaw(folder.make("lun", SIZE_BYTES));
    const count = 100;
    const pieces = Array.from({ length: count }, (_, n) => volume.allocate(4096).fill(n));
    await Promise.all(pieces.map((piece, n) => volume.write(n * 4096, piece)));
    const found = pieces.map(() => new Uint8Array(4096));
    await Promise.all(found.map((into, n) => volume.read(n * 4096, into)));
    expect(found.every((into, n) => into.every((byte) => byte === n))).toBe(true);
    volume.close();
  });

  test("close() lets operations under way complete", async () => {
    const volume = await openRaw(folder.make("lun", SIZE_BYTES));
    let isWritten = false;
    const written = volume.write(0, volume.allocate(1024 * 1024).fill(5));
    const pending = written?.then(() => isWritten = true);
    volume.close();
    await volume.ended;
    expect(isWritten).toBe(true);
    await pending;
    const again = await openRaw(volume.name);
    const into = again.allocate(4096);
    await again.read(1024 * 1024 - 4096, into);
    expect(into.every((byte) => byte === 5)).toBe(true);
    again.close();
  });
});

describeOnLoop("openRawVolumes() of a device", () => {
  for (const sectorBytes of [512, 4096] as const) {
    test(`finds blocks of ${sectorBytes} bytes`, async () => {
      using device = new LoopDevice({ sizeBytes: SIZE_BYTES, sectorBytes });
      const volume = await openRaw(device.path);
      expect(volume.medium).toMatchObject({
        name: device.path,
        kind: "block",
        sizeBytes: SIZE_BYTES,
        blockBytes: sectorBytes,
      });
      volume.close();
    });
  }
});

describe("probeMedium()", () => {
  /** A medium that takes only these units. */
  function probe(units: { block: number; memory: number }, logicalBlockBytes: number | null) {
    return probeMedium({
      name: "/dev/lun",
      logicalBlockBytes,
      directIo,
      read: (offsetBytes, into) => {
        const fits = offsetBytes % units.block === 0 && into.length % units.block === 0 &&
          directIo.suits(into, units.memory);
        const cause = { cause: "EINVAL" };
        return fits ? Promise.resolve() : Promise.reject(new AgentError("volume", "", cause));
      },
    });
  }

  test("finds units of offsets and of memory apart from each other", async () => {
    expect(await probe({ block: 512, memory: 4 }, null)).toEqual({
      blockBytes: 512,
      memoryBytes: 512,
    });
    expect(await probe({ block: 512, memory: 4096 }, 512)).toEqual({
      blockBytes: 512,
      memoryBytes: 4096,
    });
    expect(await probe({ block: 4096, memory: 512 }, null)).toEqual({
      blockBytes: 4096,
      memoryBytes: 512,
    });
  });

  test("never takes less than the logical block", async () => {
    expect((await probe({ block: 512, memory: 512 }, 4096)).blockBytes).toBe(4096);
  });

  test("throws `unsupported` for larger blocks", async () => {
    const byDevice = await failure(probe({ block: 8192, memory: 512 }, 8192));
    expect([byDevice.code, byDevice.message]).toEqual([
      "unsupported",
      'Cannot use volume "/dev/lun": logical blocks of 8192 bytes, need blocks of 512 or 4096 bytes',
    ]);
    expect((await failure(probe({ block: 8192, memory: 512 }, null))).code).toBe("unsupported");
  });

  test("passes other failures on", async () => {
    const broken = new AgentError("volume", "EIO", { cause: "EIO" });
    const read = () => Promise.reject(broken);
    const parts = { name: "/dev/lun", logicalBlockBytes: 512, directIo, read };
    expect(await failure(probeMedium(parts))).toBe(broken);
  });
});

describeOnLoop("openRawVolumes() on a device that is read-only", () => {
  test("refuses it: the kernel opens it for writing, and fails each write", async () => {
    using device = new LoopDevice({ sizeBytes: SIZE_BYTES, isReadOnly: true });
    const error = await failure(openRawVolumes([device.path], runtime));
    expect(error.message).toBe(
      `Cannot use volume "${device.path}": it is read-only, need to write it`,
    );
    expect(error.hint).not.toBe(undefined);
  });
});
