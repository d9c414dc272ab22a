// What a backup takes of real trees: rules of the job and of ignore files, caches, sizes, other
// file systems.

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { produceFilesystem, scanFilesystem } from "../../../../agent/application/mod.ts";
import { EVERYTHING, type SourceSelection } from "../../../../agent/source_selection.ts";
import type { Files, FileStat } from "../../../../transport/runtime/files.ts";
import {
  clock,
  collect,
  files,
  makeFolder,
  removeFolder,
  shell,
  textOf,
  warningLog,
  withFaults,
} from "./fixture.ts";

const TAG = "printf 'Signature: 8a477f597d28d172789f06886806bc55\\n' > ";

let folder = "";
let source = "";
beforeEach(() => {
  folder = makeFolder();
  source = join(folder, "src");
  mkdirSync(source);
});
afterEach(() => removeFolder(folder));

/** Paths below the source that a backup takes; a scan must count as many. */
function taken(
  selection: Partial<SourceSelection>,
  { from = files, paths = [source] }: { from?: Files; paths?: readonly string[] } = {},
) {
  const { log, onWarning } = warningLog();
  const options = { ...EVERYTHING, ...selection, files: from, paths };
  const { rows } = collect(produceFilesystem({ ...options, onWarning }));
  const scanned = scanFilesystem({ ...options, clock, limitMs: 60_000 });
  expect(scanned.totalFiles).toBe(rows.length);
  const all = rows.map(({ entry }) => textOf(entry.path).slice(source.length + 1));
  return { all: all.filter((path) => path !== ""), log };
}

describe("a selection", () => {
  test("by rules counts from the root of the file system, and does not enter what is out", () => {
    shell(source, "mkdir -p a/cache b; touch a/x.tmp a/keep.tmp a/cache/y b/x b/cache; ln -s a l");
    const exclude = ["*.tmp", "!keep.tmp", "cache/", "!a/cache/y", `${source}/b/x`, "l/"];
    expect(taken({ exclude }).all).toEqual(["a", "a/keep.tmp", "b", "b/cache", "l"]);
  });

  test("takes the paths themselves, whatever a rule says of them", () => {
    shell(source, "mkdir -p a; touch a/x a/y");
    const exclude = ["a", "x", `${source}/a/y`];
    expect(taken({ exclude }, { paths: [join(source, "a")] }).all).toEqual(["a"]);
    expect(taken({ exclude }, { paths: [join(source, "a/x")] }).all).toEqual(["a/x"]);
  });

  test("refuses a rule that cannot be before it walks", () => {
    expect(() => taken({ exclude: ["a["] })).toThrow(/Cannot exclude by "a\["/);
  });

  test("by ignore files counts from their directory; inner ones win, and the job's before all", () => {
    shell(source, "mkdir -p a/b c; touch a/x a/y a/b/x a/b/y a/z c/x c/z");
    shell(source, "printf '/x\\n*.o\\ny\\n' > a/.ignore; printf '!y\\n!z\\n' > a/b/.ignore");
    shell(source, "touch a/b/z a/b/q.o");
    const { all, log } = taken({ ignoreFile: ".ignore", exclude: ["z"] });
    const inner = ["a/b", "a/b/.ignore", "a/b/x", "a/b/y"];
    expect(all).toEqual(["a", "a/.ignore", ...inner, "c", "c/x"]);
    expect(log).toEqual([]);
  });

  test("names an ignore file that cannot be used, and takes all", () => {
    shell(source, "mkdir a b c; touch a/x b/x c/x; printf 'x\\na[\\n' > a/.i; ln -s ../a/.i b/.i");
    shell(source, "head -c 300000 /dev/zero | tr '\\0' x > c/.i");
    const { all, log } = taken({ ignoreFile: ".i" });
    expect(all).toEqual(["a", "a/.i", "b", "b/.i", "b/x", "c", "c/.i", "c/x"]);
    expect(log).toEqual([`bad_ignore_file ${source}/a/.i`, `bad_ignore_file ${source}/c/.i`]);
  });

  test("without caches keeps the directory and its tag", () => {
    shell(source, `mkdir -p real/d fake link; ${TAG}real/CACHEDIR.TAG; touch real/x real/d/x`);
    shell(source, "echo no > fake/CACHEDIR.TAG; touch fake/x link/x");
    shell(source, "ln -s ../real/CACHEDIR.TAG link/CACHEDIR.TAG; mkfifo CACHEDIR.TAG");
    const rest = [
      "CACHEDIR.TAG",
      "fake",
      "fake/CACHEDIR.TAG",
      "fake/x",
      "link",
      "link/CACHEDIR.TAG",
      "link/x",
    ];
    expect(taken({ excludeCaches: true }).all).toEqual([...rest, "real", "real/CACHEDIR.TAG"]);
    expect(taken({}).all).toHaveLength(12);
  });

  test("by size leaves out files of more bytes, and nothing else", () => {
    shell(source, "mkdir d; truncate -s 10 ten; truncate -s 11 eleven; ln -s eleven link");
    expect(taken({ excludeLargerThan: 10 }).all).toEqual(["d", "link", "ten"]);
  });

  test("of one file system takes where others are mounted, empty", () => {
    shell(source, "mkdir -p d/m/below d/n; touch d/m/x d/n/x d/bound");
    // Where file systems are mounted: stand-ins, since a mount needs rights.
    const elsewhere = new Set(
      ["d/m", "d/m/x", "d/m/below", "d/bound"].map((path) =>
        files.stat(-100, join(source, path)).inode
      ),
    );
    const moved = (stat: FileStat) => {
      const { inode, mtimeNs, ctimeNs, deviceMinor } = stat;
      if (!elsewhere.has(inode)) return stat;
      const { mtimeSeconds, mtimeRestNs, ctimeSeconds, ctimeRestNs } = stat;
      const times = { mtimeNs, ctimeNs, mtimeSeconds, mtimeRestNs, ctimeSeconds, ctimeRestNs };
      return { ...stat, ...times, inode, deviceMinor: deviceMinor + 1 };
    };
    const from = withFaults({
      stat: (directory, path, options) => moved(files.stat(directory, path, options)),
      statDescriptor: (descriptor) => moved(files.statDescriptor(descriptor)),
    });
    expect(taken({ oneFileSystem: true }, { from }).all).toEqual(["d", "d/m", "d/n", "d/n/x"]);
    const inside = [join(source, "d/m")];
    expect(taken({ oneFileSystem: true }, { from, paths: inside }).all)
      .toEqual(["d/m", "d/m/below", "d/m/x"]);
    expect(taken({}, { from }).all).toHaveLength(7);
  });

  test("of one file system takes a mounted directory, and nothing that lies in it", () => {
    shell(source, "mkdir -p d/m; touch d/m/under d/x");
    const mounted = join(source, "d/m");
    if (spawnSync("mount", ["-t", "tmpfs", "tmpfs", mounted]).status !== 0) {
      process.stderr.write("SKIPPED: this machine does not permit to mount a tmpfs\n");
      return;
    }
    try {
      shell(mounted, "mkdir in; touch in/y y; chmod 750 .");
      expect(taken({ oneFileSystem: true }).all).toEqual(["d", "d/m", "d/x"]);
      expect(taken({}).all).toEqual(["d", "d/m", "d/m/in", "d/m/in/y", "d/m/y", "d/x"]);
      // The job's own paths say which file systems it is of.
      expect(taken({ oneFileSystem: true }, { paths: [mounted] }).all)
        .toEqual(["d/m", "d/m/in", "d/m/in/y", "d/m/y"]);
    } finally {
      spawnSync("umount", ["-l", mounted]);
    }
  });

  test("holds with directories that tell no types", () => {
    shell(source, "mkdir -p cache big; touch cache/x; truncate -s 11 big/eleven");
    const from = withFaults({
      visitNames: (descriptor, visit) =>
        files.visitNames(descriptor, (name) => visit(name, "unknown")),
    });
    expect(taken({ exclude: ["cache/"], excludeLargerThan: 10 }, { from }).all).toEqual(["big"]);
  });
});
