// The file-system producer and restorer when things go wrong: files that cannot be read, vanish or
// change; targets that are in use or hostile; selections of a backup.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "../../../../agent/entry.ts";
import {
  FilesystemRestorer,
  makesIncomplete,
  normalizeSourcePaths,
  produceFilesystem,
  scanFilesystem,
} from "../../../../agent/application/mod.ts";
import type { FilesystemRestorerOptions } from "../../../../agent/application/mod.ts";
import { encodeMemberHeader } from "../../../../agent/tar/mod.ts";
import { SystemError } from "../../../../transport/runtime/files.ts";
import type { Files } from "../../../../transport/runtime/files.ts";
import {
  clock,
  collect,
  decompressed,
  files,
  makeFolder,
  picture,
  removeFolder,
  restoreAll,
  restoreSome,
  shell,
  textOf,
  warningLog,
  withFaults,
} from "./fixture.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";

let folder = "";
let source = "";
beforeEach(() => {
  folder = makeFolder();
  source = join(folder, "src");
  mkdirSync(source);
});
afterEach(() => removeFolder(folder));

function produce(log: ReturnType<typeof warningLog>, from: Files = files, exclude: string[] = []) {
  const options = { paths: [source], ...EVERYTHING, exclude, frameBytes: 64 * 1024 };
  return collect(produceFilesystem({ ...options, files: from, onWarning: log.onWarning }));
}

function restorer(options: Partial<FilesystemRestorerOptions> = {}): FilesystemRestorer {
  const target = join(folder, "out");
  const onWarning = () => {};
  return new FilesystemRestorer({
    files,
    target,
    overwrite: "refuse",
    redirects: [],
    onWarning,
    ...options,
  });
}

const out = (path: string) => join(folder, "out", source, path);

describe("produceFilesystem()", () => {
  test("warns and goes on when files and directories cannot be opened, or vanish", () => {
    shell(
      source,
      "mkdir bad good; echo 1 > bad/x; echo 1 > good/x; echo 1 > gone; echo 1 > secret",
    );
    const log = warningLog();
    const faulty = withFaults({
      open: (directory, path, flags) => {
        const name = typeof path === "string" ? path : textOf(path);
        if (name === "secret" || name === "bad") throw new SystemError("EACCES", "openat", name);
        if (name === "gone") throw new SystemError("ENOENT", "openat", name);
        return files.open(directory, path, flags);
      },
    });
    const made = produce(log, faulty);
    expect(log.log).toEqual([
      `unreadable ${source}/bad`,
      `vanished ${source}/gone`,
      `unreadable ${source}/secret`,
    ]);
    const names = made.rows.map((row) => textOf(row.entry.path).slice(source.length));
    expect(names).toEqual(["", "/bad", "/good", "/good/x"]);
    expect([makesIncomplete("unreadable"), makesIncomplete("vanished")]).toEqual([true, false]);
    restoreAll(made, restorer());
  });

  test("keeps the promised length when files change, shrink and grow while they are read", () => {
    shell(
      source,
      "head -c 1000 /dev/zero > small; head -c 300000 /dev/urandom > shrinks; cp shrinks grows",
    );
    shell(source, "head -c 300001 /dev/urandom > churns");
    const log = warningLog();
    let reads = 0;
    let shrinks = false;
    const faulty = withFaults({
      readAt: (descriptor, offset, into) => {
        const size = files.statDescriptor(descriptor).sizeBytes;
        if (size === 1000) {
          shell(source, `head -c 1000 /dev/urandom > small; touch -d @${++reads} small`);
        }
        if (size === 300001 && offset === 0) shell(source, `touch -d @${++reads} churns`);
        if (size === 300000 && offset === 0) {
          shell(source, shrinks ? "truncate -s 1000 shrinks" : "echo more >> grows");
          shrinks = true;
        }
        return files.readAt(descriptor, offset, into);
      },
    });
    const made = produce(log, faulty);
    expect(log.log).toEqual([
      `changed ${source}/churns`,
      `grown ${source}/grows`,
      `changed ${source}/small`,
    ]);
    restoreAll(made, restorer());
    expect(statSync(out("grows")).size).toBe(300_000);
    // It was sent again, and the last member is the one that counts.
    expect(readFileSync(out("shrinks"))).toEqual(readFileSync(join(source, "shrinks")));
    expect(readFileSync(out("churns"))).toEqual(readFileSync(join(source, "churns")));
    expect(made.files).toBe(5);
    expect(statSync(out("small")).size).toBe(1000);
  });

  test("reads a small file again when it changed once, without a warning", () => {
    shell(source, "printf before > file");
    const log = warningLog();
    let reads = 0;
    const faulty = withFaults({
      readAt: (descriptor, offset, into) => {
        const count = files.readAt(descriptor, offset, into);
        if (reads++ === 0) shell(source, "printf afterwards > file");
        return count;
      },
    });
    restoreAll(produce(log, faulty), restorer());
    expect(log.log).toEqual([]);
    expect(readFileSync(out("file"), "utf8")).toBe("afterwards");
  });

  test("leaves out sockets with a warning, and what globs match with its subtree", () => {
    shell(
      source,
      "mkdir -p a/cache/deep a/keep; touch a/cache/x a/keep/x.tmp a/keep/.y.tmp a/keep/z",
    );
    shell(source, "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'");
    const log = warningLog();
    const made = produce(log, files, [`${source}/**/cache`, "/**/*.tmp"]);
    const names = made.rows.map((row) => textOf(row.entry.path).slice(source.length));
    expect(names).toEqual(["", "/a", "/a/keep", "/a/keep/z"]);
    expect(log.log).toEqual([`socket ${source}/s`]);
  });

  test("throws before the first record when a path is missing or not absolute", () => {
    const run = (path: string) =>
      produceFilesystem({
        files,
        paths: [source, path],
        ...EVERYTHING,
        onWarning: () => {},
      })
        .next();
    expect(() => run(join(folder, "missing"))).toThrow("found no such file or directory");
    expect(() => run("relative")).toThrow("need one with a leading");
    expect(() => run("/a/../b")).toThrow("Cannot back up");
  });

  test("normalizeSourcePaths() sorts, and merges nested and equal paths", () => {
    expect(normalizeSourcePaths(["/b/", "/a/x", "/a//./", "/ab", "/b"])).toEqual([
      "/a",
      "/ab",
      "/b",
    ]);
    expect(normalizeSourcePaths(["/x", "/"])).toEqual(["/"]);
  });

  test("scanFilesystem() counts as the producer does, and gives up at the limit", () => {
    shell(source, "mkdir d; head -c 5000 /dev/urandom > d/x; ln d/x y; ln -s x z; echo 1 > w");
    const made = produce(warningLog());
    const options = { files, paths: [source], ...EVERYTHING, clock, limitMs: 60_000 };
    expect(scanFilesystem(options)).toEqual({ totalFiles: made.files, totalBytes: made.bytes });
    shell(source, "touch {1..600}");
    expect(scanFilesystem({ ...options, limitMs: -1 })).toEqual({
      totalFiles: null,
      totalBytes: null,
    });
  });
});

describe("FilesystemRestorer", () => {
  test("refuses a target that is not empty, keeps with never, replaces with always", () => {
    shell(
      source,
      "mkdir d was-file; echo new > d/file; ln -s new link; ln d/file hard; echo n > was-dir",
    );
    const made = produce(warningLog());
    const before = picture(source);
    const setUp = `mkdir -p out${source}/d out${source}/was-dir; cd out${source}; echo old > d/file
      ln -s old link; echo old > hard; echo old > was-file`;
    shell(folder, setUp);
    expect(() => restorer()).toThrow("Cannot restore to");
    restoreAll(made, restorer({ overwrite: "never" }));
    expect(readFileSync(out("d/file"), "utf8")).toBe("old\n");
    expect(readFileSync(out("hard"), "utf8")).toBe("old\n");
    const log = warningLog();
    restoreAll(made, restorer({ overwrite: "always", onWarning: log.onWarning }));
    expect(log.log).toEqual([]);
    expect(picture(out(""))).toBe(before);
    restoreAll(made, restorer({ overwrite: "always", onWarning: log.onWarning }));
    expect(picture(out(""))).toBe(before);
  });

  test("does not follow a link that stands in the target where a directory belongs", () => {
    shell(source, "mkdir d; echo new > d/file");
    const made = produce(warningLog());
    shell(folder, `mkdir outside; mkdir -p out${source}; ln -s ${folder}/outside out${source}/d`);
    const log = warningLog();
    restoreAll(made, restorer({ overwrite: "never", onWarning: log.onWarning }));
    expect(readdirSync(join(folder, "outside"))).toEqual([]);
    expect(log.log[0]).toBe(`occupied ${source}/d`);
    restoreAll(made, restorer({ overwrite: "always" }));
    expect(readdirSync(join(folder, "outside"))).toEqual([]);
    expect(readFileSync(out("d/file"), "utf8")).toBe("new\n");
  });

  test("throws damaged when a member's name or a link leads out of the target", () => {
    const entry: Entry = {
      path: new TextEncoder().encode("/a/../../escaped"),
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      sizeBytes: 0,
      mtimeNs: 0n,
      ctimeNs: 0n,
      inode: 0n,
      target: null,
      rdev: null,
    };
    const feed = (made: Entry) => {
      const tar = encodeMemberHeader(made);
      const pieces = [{ offset: 0, length: tar.length }];
      const consumer = restorer();
      try {
        consumer.feed({ sequence: 0, tar, pieces });
      } finally {
        consumer.abort();
      }
    };
    expect(() => feed(entry)).toThrow("Cannot read tar header");
    const target = new TextEncoder().encode("/../../etc/passwd");
    const path = new TextEncoder().encode("/x");
    expect(() => feed({ ...entry, path, type: "hardlink", target })).toThrow(
      "Cannot read tar header",
    );
    expect(existsSync(join(folder, "escaped"))).toBe(false);
  });

  for (const overwrite of ["refuse", "never", "always", "changed"] as const) {
    test(`does not go through a link that the media themselves made, with ${overwrite}`, () => {
      shell(folder, "mkdir outside; echo secret > outside/secret");
      const bytes = (text: string) => new TextEncoder().encode(text);
      const common = { mode: 0o755, uid: 0, gid: 0, sizeBytes: 0, mtimeNs: 0n, ctimeNs: 0n };
      const entry = (path: string, type: Entry["type"], target: string | null = null): Entry => ({
        ...common,
        path: bytes(path),
        type,
        inode: 0n,
        target: target === null ? null : bytes(target),
        rdev: null,
      });
      const members = [
        entry("/link", "symlink", join(folder, "outside")),
        entry("/link/file", "file"),
        entry("/link/directory", "directory"),
        entry("/up", "symlink", ".."),
        entry("/up/file", "file"),
        entry("/stolen", "hardlink", "/link/secret"),
        entry("/link/given", "hardlink", "/up"),
      ];
      const tar = Buffer.concat(members.map((member) => encodeMemberHeader(member)));
      const pieces = [{ offset: 0, length: tar.length }];
      const log = warningLog();
      const consumer = restorer({ overwrite, onWarning: log.onWarning });
      consumer.feed({ sequence: 0, tar, pieces });
      consumer.finish();
      expect(readdirSync(join(folder, "outside"))).toEqual(["secret"]);
      expect(readdirSync(folder).sort()).toEqual(["out", "outside", "src"]);
      expect(existsSync(join(folder, "out/stolen"))).toBe(false);
      expect(log.log.length).toBeGreaterThan(0);
    });
  }

  test("writes a redirected member under the selected name and links further names to it", () => {
    shell(
      source,
      "mkdir a b; echo data > a/first; ln a/first b/second; ln a/first b/third; touch -d @5 b",
    );
    const made = produce(warningLog());
    const bytes = (name: string) => new TextEncoder().encode(join(source, name));
    const consumer = restorer({
      redirects: [{ member: bytes("a/first"), writeAs: bytes("b/second") }],
    });
    const totals = restoreSome(
      made,
      consumer,
      (path) => path === join(source, "a/first") || path.startsWith(join(source, "b")),
    );
    expect(readdirSync(out(""))).toEqual(["b"]);
    expect(readFileSync(out("b/third"), "utf8")).toBe("data\n");
    expect(statSync(out("b/second")).ino).toBe(statSync(out("b/third")).ino);
    expect(statSync(out("b")).mtimeMs).toBe(5000);
    expect(totals.files).toBe(3);
  });

  test("leaves no temporary file when it is aborted inside a file", () => {
    shell(source, "head -c 500000 /dev/urandom > large");
    const made = produce(warningLog());
    const consumer = restorer();
    for (const { sequence, frame, tarBytes } of made.records.slice(0, 3)) {
      const pieces = [{ offset: 0, length: tarBytes }];
      consumer.feed(decompressed({ sequence, frame, tarBytes, pieces }));
    }
    expect(readdirSync(out("")).length).toBe(1);
    expect(() => consumer.finish()).toThrow("inside a member");
    consumer.abort();
    expect(readdirSync(out(""))).toEqual([]);
  });

  test("throws no_space when the medium is full", () => {
    shell(source, "echo data > file");
    const made = produce(warningLog());
    const full = withFaults({
      writeAll: () => {
        throw new SystemError("ENOSPC", "write", "file");
      },
    });
    const consumer = restorer({ files: full });
    expect(() => restoreAll(made, consumer)).toThrow("need more space");
    consumer.abort();
    expect(readdirSync(out(""))).toEqual([]);
  });

  test("warns of each file and clears setuid when owners cannot be set", () => {
    shell(source, "touch a; touch b; chmod 4755 b");
    const made = produce(warningLog());
    const log = warningLog();
    const unprivileged = withFaults({
      changeOwner: () => {
        throw new SystemError("EPERM", "fchownat", "a");
      },
      // What is made belongs to somebody else than what was backed up.
      statDescriptor: (descriptor) => ({ ...files.statDescriptor(descriptor), uid: 1 }),
    });
    restoreAll(made, restorer({ files: unprivileged, onWarning: log.onWarning }));
    expect(log.log).toEqual([`owner ${source}/a`, `owner ${source}/b`, `owner ${source}`]);
    expect(makesIncomplete("owner")).toBe(true);
    expect(statSync(out("b")).mode & 0o7777).toBe(0o755);
  });
});
