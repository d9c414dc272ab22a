// Extended attributes by libc: any bytes, large and many, of links and fifos, at any depth.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AT_CWD, currentRuntime, SystemError } from "../../../../transport/runtime/mod.ts";
import type { XattrSubject } from "../../../../transport/runtime/mod.ts";
import {
  type AttributeFolder,
  isRoot,
  LARGE_XATTR_BYTES,
  makeAttributeFolder,
} from "../../../attribute_folder.ts";

const { files } = await currentRuntime();
const { xattrs } = files;
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (name: Uint8Array) => new TextDecoder().decode(name);

let folder: AttributeFolder;
let directory = -1;

beforeAll(() => {
  folder = makeAttributeFolder();
  directory = files.open(AT_CWD, folder.path, { access: "read", directory: true });
});
afterAll(() => {
  files.close(directory);
  folder[Symbol.dispose]();
});

function names(subject: XattrSubject): string[] {
  return xattrs.list(subject).map(textOf).sort();
}

describe("Files.xattrs", () => {
  test("keeps any bytes in names and values, by name and by descriptor", () => {
    writeFileSync(join(folder.path, "file"), "");
    const file = { directory, name: "file" };
    const all = Uint8Array.from({ length: 256 }, (_, index) => index);
    const odd = Uint8Array.of(...bytes("user."), 0xff, 0x0a, 0x3d, 0x25);
    xattrs.set(file, odd, all);
    xattrs.set(file, bytes("user.empty"), new Uint8Array(0));
    const descriptor = files.open(directory, "file", { access: "write" });
    try {
      xattrs.set(descriptor, bytes("user.large"), new Uint8Array(LARGE_XATTR_BYTES).fill(7));
      xattrs.set(descriptor, bytes("user.empty"), new Uint8Array(0));
      for (const subject of [file, descriptor]) {
        expect(xattrs.list(subject)).toContainEqual(odd);
        expect(xattrs.list(subject).length).toBe(3);
        expect(xattrs.get(subject, odd)).toEqual(all);
        expect(xattrs.get(subject, bytes("user.empty"))).toEqual(new Uint8Array(0));
        expect(xattrs.get(subject, bytes("user.large"))?.length).toBe(LARGE_XATTR_BYTES);
        expect(xattrs.get(subject, bytes("user.none"))).toBe(null);
      }
      xattrs.remove(descriptor, odd);
      xattrs.remove(file, bytes("user.large"));
      xattrs.remove(file, bytes("user.none"));
      expect(names(file)).toEqual(["user.empty"]);
    } finally {
      files.close(descriptor);
    }
  });

  test("list() gives all names", () => {
    writeFileSync(join(folder.path, "many"), "");
    const many = { directory, name: "many" };
    const wanted = Array.from({ length: 15 }, (_, index) => `user.${index}.${"n".repeat(100)}`);
    for (const name of wanted) xattrs.set(many, bytes(name), bytes(name));
    expect(names(many)).toEqual(wanted.sort());
  });

  test("belongs to a link or fifo itself, and a link that dangles", () => {
    if (!isRoot) return; // Only trusted attributes are permitted there.
    symlinkSync("/nowhere", join(folder.path, "link"));
    execFileSync("mkfifo", [join(folder.path, "fifo")]);
    for (const name of ["link", "fifo"]) {
      xattrs.set({ directory, name }, bytes("trusted.own"), bytes(name));
      expect(xattrs.get({ directory, name }, bytes("trusted.own"))).toEqual(bytes(name));
    }
  });

  test("reaches a name below 4096 bytes of path", () => {
    let deep = directory;
    for (let level = 0; level < 30; level++) {
      files.makeDirectory(deep, "d".repeat(200), 0o700);
      const next = files.open(deep, "d".repeat(200), { access: "read", directory: true });
      if (deep !== directory) files.close(deep);
      deep = next;
    }
    const name = "f".repeat(255);
    files.close(files.open(deep, name, { access: "write", create: true }));
    xattrs.set({ directory: deep, name }, bytes("user.deep"), bytes("x"));
    expect(names({ directory: deep, name })).toEqual(["user.deep"]);
    files.close(deep);
  });

  test("throws the kernel's reason, and list() is empty where there is no such thing", () => {
    const missing = { directory, name: "missing" };
    const errnoOf = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        if (error instanceof SystemError) return `${error.syscall} ${error.errno}`;
        throw error;
      }
      return "none";
    };
    mkdirSync(join(folder.path, "directory"));
    const there = { directory, name: "directory" };
    expect(errnoOf(() => xattrs.list(missing))).toBe("listxattr ENOENT");
    expect(errnoOf(() => xattrs.get(missing, bytes("user.a")))).toBe("getxattr ENOENT");
    expect(errnoOf(() => xattrs.set(there, bytes("none.a"), bytes("x")))).toBe(
      "setxattr EOPNOTSUPP",
    );
    expect(errnoOf(() => xattrs.remove(missing, bytes("user.a")))).toBe("removexattr ENOENT");
    const long = bytes(`user.${"n".repeat(251)}`);
    expect(errnoOf(() => xattrs.set(there, long, bytes("x")))).toBe("xattr name ERANGE");
    expect(xattrs.list({ directory: AT_CWD, name: "/proc/self/status" })).toEqual([]);
  });
});
