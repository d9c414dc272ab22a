// Files by libc: names of any bytes, times, links, holes, locks, errors.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { AT_CWD, currentRuntime, SystemError } from "../../../../transport/runtime/mod.ts";

const { files, name: runtimeName } = await currentRuntime();
const text = new TextEncoder();

let folder = "";
let directory = -1;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "files-"));
  directory = files.open(AT_CWD, folder, { access: "read", directory: true });
});

afterEach(() => {
  files.close(directory);
  rmSync(folder, { recursive: true, force: true });
});

function put(path: string | Uint8Array, content: Uint8Array): void {
  const descriptor = files.open(directory, path, { access: "write", create: true });
  try {
    files.writeAll(descriptor, content);
  } finally {
    files.close(descriptor);
  }
}

function errnoOf(run: () => unknown): string {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof SystemError) return thrown.errno;
    throw thrown;
  }
  return "none";
}

describe("Files names", () => {
  test("keeps any bytes but NUL and slash", () => {
    const names = [...new Array(255).keys()].map((index) => index + 1)
      .filter((byte) => byte !== 0x2f).map((byte) => Uint8Array.of(0x6e, byte, 0xff));
    for (const name of names) put(name, name);
    const listed = files.list(directory);
    expect(listed.map((entry) => [...entry.name].join()).sort())
      .toEqual(names.map((name) => [...name].join()).sort());
    expect(listed.every((entry) => entry.type === "file")).toBe(true);
    for (const name of names) expect(files.stat(directory, name).sizeBytes).toBe(3);
    expect(files.list(directory).length).toBe(names.length);
  });

  test("refuses NUL and names that are too long", () => {
    expect(errnoOf(() => files.stat(directory, "a\0b"))).toBe("EINVAL");
    expect(errnoOf(() => files.stat(directory, Uint8Array.of(97, 0, 98)))).toBe("EINVAL");
    expect(errnoOf(() => files.stat(directory, "é".repeat(3000)))).toBe("ENAMETOOLONG");
    expect(errnoOf(() => files.stat(directory, new Uint8Array(4096).fill(97))))
      .toBe("ENAMETOOLONG");
    expect(errnoOf(() => files.stat(directory, "a".repeat(256)))).toBe("ENAMETOOLONG");
  });

  test("lists more entries than one buffer holds", () => {
    for (let index = 0; index < 1500; index++) put(`${index}-${"n".repeat(60)}`, new Uint8Array(0));
    expect(new Set(files.list(directory).map((e) => new TextDecoder().decode(e.name))).size)
      .toBe(1500);
  });
});

describe("Files content", () => {
  test("reads and writes at offsets, whole", () => {
    const descriptor = files.open(directory, "f", { access: "read-write", create: true });
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(100_000), (bytes, offset) => {
        files.writeAllAt(descriptor, offset, bytes);
        const into = new Uint8Array(bytes.length + 2);
        const count = files.readAt(descriptor, offset, into.subarray(1, 1 + bytes.length));
        expect(count).toBe(bytes.length);
        expect([...into]).toEqual([0, ...bytes, 0]);
      }),
      { numRuns: 50 },
    );
    files.truncate(descriptor, 3);
    files.sync(descriptor);
    expect(files.statDescriptor(descriptor).sizeBytes).toBe(3);
    expect(files.readAt(descriptor, 1, new Uint8Array(10))).toBe(2);
    files.close(descriptor);
  });

  test("finds data and holes", () => {
    const descriptor = files.open(directory, "sparse", { access: "read-write", create: true });
    const far = 5 * 1024 ** 3;
    files.writeAllAt(descriptor, far, text.encode("end"));
    expect(files.seek(descriptor, 0, "hole")).toBe(0);
    const data = files.seek(descriptor, 0, "data");
    expect(data).toBeGreaterThan(far - 1024 ** 2);
    expect(files.seek(descriptor, far + 3, "data")).toBe(null);
    const stat = files.statDescriptor(descriptor);
    expect(stat.sizeBytes).toBe(far + 3);
    expect(stat.blocks512 * 512).toBeLessThan(1024 ** 2);
    files.close(descriptor);
  });
});

describe("Files metadata", () => {
  test("keeps nanoseconds before 1970 and after 2038", () => {
    put("f", text.encode("x"));
    files.symlink("f", directory, "l");
    for (const ns of [0n, 1n, -1n, -999_999_999n, -1_000_000_001n, 4_102_444_800_123_456_789n]) {
      files.setTimes(directory, "f", ns + 5n, ns);
      files.setTimes(directory, "l", ns, ns + 7n);
      const [file, link] = [files.stat(directory, "f"), files.stat(directory, "l")];
      expect([file.mtimeNs, file.atimeNs, link.mtimeNs]).toEqual([ns, ns + 5n, ns + 7n]);
    }
  });

  test("tells types, modes and link counts", () => {
    put("f", text.encode("four"));
    files.changeMode(directory, "f", 0o4751);
    files.link(directory, "f", directory, "g");
    files.makeDirectory(directory, "d", 0o700);
    files.makeNode(directory, "p", "fifo", 0o600, { major: 0, minor: 0 });
    files.symlink(Uint8Array.of(0xff, 0xfe), directory, "l");
    const [f, g] = [files.stat(directory, "f"), files.stat(directory, "g")];
    expect([f.type, f.mode, f.linkCount, f.inode]).toEqual(["file", 0o4751, 2, g.inode]);
    expect(files.stat(directory, "d").type).toBe("directory");
    expect(files.stat(directory, "p").type).toBe("fifo");
    expect(files.stat(directory, "l").type).toBe("symlink");
    expect([...files.readLink(directory, "l")]).toEqual([0xff, 0xfe]);
    const device = files.stat(AT_CWD, "/dev/null");
    expect([device.type, device.rdevMajor, device.rdevMinor]).toEqual(["character", 1, 3]);
    files.changeOwner(directory, "l", f.uid, f.gid);
  });

  test("changes what a descriptor is, whatever its name is by now", () => {
    put("f", text.encode("x"));
    const descriptor = files.open(directory, "f", { access: "read" });
    try {
      files.rename(directory, "f", directory, "g");
      files.symlink("g", directory, "f");
      const link = files.stat(directory, "f");
      files.setTimes(descriptor, null, 5n, -7n);
      files.changeMode(descriptor, null, 0o640);
      // Only root gives files away.
      const uid = process.getuid?.() === 0 ? 1234 : link.uid;
      files.changeOwner(descriptor, null, uid, link.gid);
      const stat = files.statDescriptor(descriptor);
      for (const none of [2 ** 32 - 1, 2 ** 32]) {
        expect(errnoOf(() => files.changeOwner(descriptor, null, none, link.gid))).toBe("EINVAL");
        expect(errnoOf(() => files.changeOwner(descriptor, null, uid, none))).toBe("EINVAL");
      }
      expect([stat.atimeNs, stat.mtimeNs, stat.mode, stat.uid]).toEqual([5n, -7n, 0o640, uid]);
      expect(files.stat(directory, "f").mtimeNs).toBe(link.mtimeNs);
    } finally {
      files.close(descriptor);
    }
    expect(errnoOf(() => files.changeMode(descriptor, null, 0o600))).toBe("EBADF");
    expect(errnoOf(() => files.changeOwner(descriptor, null, 0, 0))).toBe("EBADF");
    expect(errnoOf(() => files.setTimes(descriptor, null, 0n, 0n))).toBe("EBADF");
  });

  test("renames and unlinks", () => {
    put("f", text.encode("x"));
    files.makeDirectory(directory, "d", 0o700);
    files.rename(directory, "f", directory, "d/g");
    expect(errnoOf(() => files.unlink(directory, "d", { directory: true }))).toBe("ENOTEMPTY");
    files.unlink(directory, "d/g");
    files.unlink(directory, "d", { directory: true });
    expect(files.list(directory)).toEqual([]);
  });

  test("tells the file system and its free bytes", () => {
    const found = files.fileSystem("/proc");
    expect(found.type).toBe(0x9fa0);
    expect(files.fileSystem(folder).freeBytes).toBeGreaterThan(0);
  });
});

describe("Files errors", () => {
  test("name the errno", () => {
    put("f", text.encode("x"));
    const create = { access: "write", create: true, exclusive: true } as const;
    expect(errnoOf(() => files.open(directory, "none", { access: "read" }))).toBe("ENOENT");
    expect(errnoOf(() => files.open(directory, "f", create))).toBe("EEXIST");
    expect(errnoOf(() => files.open(directory, "f/x", { access: "read" }))).toBe("ENOTDIR");
    files.symlink("f", directory, "l");
    const noFollow = { access: "read", noFollow: true } as const;
    expect(errnoOf(() => files.open(directory, "l", noFollow))).toBe("ELOOP");
    expect(errnoOf(() => files.readLink(directory, "f"))).toBe("EINVAL");
    expect(errnoOf(() => files.close(99_999))).toBe("EBADF");
    expect(errnoOf(() => files.read(99_999, new Uint8Array(1)))).toBe("EBADF");
  });
});

describe("Files startRead()", () => {
  test("has the kernel read a range that is not in its cache", () => {
    put("file", new Uint8Array(1 << 20));
    const path = join(folder, "file");
    // Written, then given up by the cache: where the file system has one of its own, not at all.
    execFileSync("dd", [`of=${path}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"], {
      stdio: "ignore",
    });
    const cached = () => Number(execFileSync("fincore", ["--bytes", "-rno", "RES", path]));
    const before = cached();
    const descriptor = files.open(AT_CWD, path, { access: "read" });
    files.startRead(descriptor, 0, 64 * 1024);
    files.close(descriptor);
    expect(cached()).toBeGreaterThanOrEqual(Math.max(before, 64 * 1024));
  });
});

describe("Files lock()", () => {
  test("refuses while another process holds it, and is free after the holder is killed", async () => {
    put("lock", new Uint8Array(0));
    const path = join(folder, "lock");
    const holder = fileURLToPath(new URL("./lock_holder.ts", import.meta.url).href);
    const args = runtimeName === "deno" ? ["run", "-A", "--no-prompt", "--no-check"] : [];
    const child = spawn(process.execPath, [...args, holder, path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    const descriptor = files.open(AT_CWD, path, { access: "read-write" });
    try {
      const said = await new Promise((resolve) =>
        child.stdout.once("data", (data: Uint8Array) => resolve(new TextDecoder().decode(data)))
      );
      expect(said).toBe("locked\n");
      expect(files.lock(descriptor, "exclusive", { wait: false })).toBe(false);
      expect(files.lock(descriptor, "shared", { wait: false })).toBe(false);
      child.kill("SIGKILL");
      await exited;
      expect(files.lock(descriptor, "exclusive", { wait: true })).toBe(true);
      files.unlock(descriptor);
    } finally {
      child.kill("SIGKILL");
      await exited;
      files.close(descriptor);
    }
  });
});
