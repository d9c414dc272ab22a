// Files that a full backup opens before it is at them: in which order, what becomes of them when
// their names change hands, and that none stays open.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FilesystemRestorer, produceFilesystem } from "../../../../agent/application/mod.ts";
import { READ_AHEAD_FILES } from "../../../../agent/application/limits.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { SystemError } from "../../../../transport/runtime/files.ts";
import type { Files } from "../../../../transport/runtime/files.ts";
import {
  collect,
  files,
  makeFolder,
  picture,
  removeFolder,
  restoreAll,
  shell,
  textOf,
  warningLog,
  withFaults,
} from "./fixture.ts";

let folder = "";
let source = "";
beforeEach(() => {
  folder = makeFolder();
  source = join(folder, "src");
  mkdirSync(source);
});
afterEach(() => removeFolder(folder));

/** Notes what is opened, asked for, read and closed. */
function watched(faults: Partial<Files> = {}) {
  const names = new Map<number, string>();
  const log: string[] = [];
  const state = { most: 0 };
  const note = (what: string, descriptor: number) =>
    void log.push(`${what} ${names.get(descriptor) ?? "?"}`);
  const through = withFaults({
    ...faults,
    open(directory, path, flags) {
      const descriptor = (faults.open ?? files.open.bind(files))(directory, path, flags);
      const name = typeof path === "string" ? path : textOf(path);
      if (name !== "..") names.set(descriptor, name);
      if (flags.directory !== true) log.push(`open ${name}`);
      state.most = Math.max(state.most, names.size);
      return descriptor;
    },
    close(descriptor) {
      names.delete(descriptor);
      files.close(descriptor);
    },
    startRead(descriptor, offset, size) {
      note("ask", descriptor);
      files.startRead(descriptor, offset, size);
    },
    readAt(descriptor, offset, into) {
      note("read", descriptor);
      return (faults.readAt ?? files.readAt.bind(files))(descriptor, offset, into);
    },
  });
  return { through, log, names, state };
}

function produce(through: Files, log = warningLog()) {
  const options = { paths: [source], ...EVERYTHING, frameBytes: 64 * 1024 };
  return produceFilesystem({ ...options, files: through, onWarning: log.onWarning });
}

function restored(made: ReturnType<typeof collect>): string {
  const target = join(folder, "out");
  const options = { files, target, overwrite: "refuse", redirects: [] } as const;
  restoreAll(made, new FilesystemRestorer({ ...options, onWarning: () => {} }));
  return join(target, source);
}

/** Does something once, just before a name is looked at. */
function before(name: string, change: () => void): Partial<Files> {
  let isDone = false;
  return {
    stat(directory, path, options) {
      if (!isDone && typeof path !== "string" && textOf(path) === name) {
        isDone = true;
        change();
      }
      return files.stat(directory, path, options);
    },
  };
}

describe("a full backup", () => {
  test("asks for the files of a directory before it reads the first, and opens each once", () => {
    for (const name of ["a", "b", "c"]) writeFileSync(join(source, name), name);
    const bed = watched();
    collect(produce(bed.through));
    expect(bed.log.slice(0, 4)).toEqual(["open b", "ask b", "open c", "ask c"]);
    expect(bed.log.filter((line) => line.startsWith("open")).sort())
      .toEqual(["open a", "open b", "open c"]);
    expect(bed.names).toEqual(new Map());
  });

  test("does not look behind a directory, whose content comes first", () => {
    mkdirSync(join(source, "b"));
    for (const name of ["a", "b/x", "b/y", "c", "d"]) writeFileSync(join(source, name), name);
    const bed = watched();
    collect(produce(bed.through));
    const order = bed.log.filter((line) => !line.startsWith("ask"));
    expect(order).toEqual([
      ...["open a", "read a"],
      ...["open y", "open x", "read x", "read y"],
      ...["open d", "open c", "read c", "read d"],
    ]);
    expect(bed.names).toEqual(new Map());
  });

  test("holds a bounded count of files open, and none after it ended or was given up", () => {
    const count = 3 * READ_AHEAD_FILES;
    for (let at = 0; at < count; at++) writeFileSync(join(source, `f${1000 + at}`), "content");
    const bed = watched();
    expect(collect(produce(bed.through)).files).toBe(count + 1);
    // With the directory, and the file that is read.
    expect(bed.state.most).toBe(READ_AHEAD_FILES + 2);
    expect(bed.names).toEqual(new Map());
    const given = watched();
    const producer = produce(given.through);
    writeFileSync(join(source, "f1001"), new Uint8Array(100_000));
    producer.next();
    expect(given.names.size).toBeGreaterThan(READ_AHEAD_FILES);
    producer.return({ files: 0, bytes: 0 });
    expect(given.names).toEqual(new Map());
  });

  test("has every file as it is when names go, come and change hands ahead of the walk", () => {
    shell(source, "for n in a b c d e f g; do echo $n > $n; done; echo other > ../other");
    const log = warningLog();
    const bed = watched(before("b", () => {
      unlinkSync(join(source, "b"));
      renameSync(join(folder, "other"), join(source, "c"));
      unlinkSync(join(source, "d"));
      mkdirSync(join(source, "d"));
      for (const name of ["d/x", "d/y"]) writeFileSync(join(source, name), name);
      unlinkSync(join(source, "e"));
      shell(source, "mkfifo e; ln -sf a f");
    }));
    const made = collect(produce(bed.through, log));
    expect(log.log).toEqual([`vanished ${source}/b`]);
    expect(bed.names).toEqual(new Map());
    // What was open is a whole earlier state of "c".
    const out = restored(made);
    expect(readFileSync(join(out, "c"), "utf8")).toBe("c\n");
    const kinds = (text: string) => text.split("\n").map((line) => line.split("\t").slice(0, 2));
    writeFileSync(join(source, "c"), "c\n");
    expect(kinds(picture(out))).toEqual(kinds(picture(source)));
  });

  test("links no name to a file that another one has taken the place of", () => {
    shell(source, "echo mine > b; echo shared > y; ln y z; touch a");
    const bed = watched(before("b", () => {
      unlinkSync(join(source, "b"));
      linkSync(join(source, "z"), join(source, "b"));
    }));
    const out = restored(collect(produce(bed.through)));
    expect(readFileSync(join(out, "b"), "utf8")).toBe("mine\n");
    for (const name of ["y", "z"]) expect(readFileSync(join(out, name), "utf8")).toBe("shared\n");
  });

  test("does not wait for the writer of a fifo that takes a file's name", () => {
    writeFileSync(join(source, "a"), "content");
    const log = warningLog();
    const bed = watched({
      open(directory, path, flags) {
        if (typeof path !== "string" && textOf(path) === "a") shell(source, "rm -f a; mkfifo a");
        return files.open(directory, path, flags);
      },
    });
    expect(collect(produce(bed.through, log)).files).toBe(1);
    expect(log.log).toEqual([`unreadable ${source}/a`]);
    expect(bed.names).toEqual(new Map());
  });

  test("waits for a file of which another program has a lease", () => {
    for (const name of ["a", "b"]) writeFileSync(join(source, name), name);
    const flagsOf: string[] = [];
    const bed = watched({
      open(directory, path, flags) {
        if (flags.directory !== true) flagsOf.push(`${flags.nonBlocking === true}`);
        if (flags.nonBlocking === true) throw new SystemError("EAGAIN", "openat", "leased");
        return files.open(directory, path, flags);
      },
    });
    expect(collect(produce(bed.through)).files).toBe(3);
    expect(flagsOf).toEqual(["true", "false", "true", "false"]);
  });
});
