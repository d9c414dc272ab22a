// Produce and restore of a tree with everything in it, compared by stock tools, and GNU tar's own
// reading of the same media.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FilesystemRestorer, produceFilesystem } from "../../../../agent/application/mod.ts";
import {
  collect,
  files,
  makeFolder,
  picture,
  removeFolder,
  restoreAll,
  shell,
  toMedia,
  warningLog,
} from "./fixture.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";

const root = process.getuid?.() === 0;

let folder = "";
beforeEach(() => void (folder = makeFolder()));
afterEach(() => removeFolder(folder));

const everything = `
  mkdir -p src/dir/empty "src/with space" src/locked
  echo content > src/dir/file; : > src/dir/none
  printf x > $'src/new\\nline'; printf y > $'src/\\xff\\xfe'; printf z > 'src/*?[a]"'
  printf q > "src/$(printf 'n%.0s' {1..255})"
  head -c 300000 /dev/urandom > src/large
  ln src/large src/dir/hard1; ln src/large src/zhard2
  ln -s ../nowhere src/dangling; ln -s loop src/loop; 
  ln -s "$(printf 't%.0s' {1..300})" src/longlink
  ln src/loop src/loop2
  mkfifo src/fifo
  truncate -s 1G src/holes
  printf mid | dd of=src/holes bs=1 seek=500000000 conv=notrunc status=none
  truncate -s 5M src/allhole
  printf setuid > src/suid; chmod 4755 src/suid
  chmod 1777 src/dir; chmod 000 src/locked src/dir/none
  touch -h -d 1955-03-04T05:06:07.987654321Z src/dangling
  touch -d 1901-01-01T00:00:00.5Z src/dir/file; touch -d 2200-01-01T00:00:00.000000001Z src/suid
  touch -d 2001-02-03T04:05:06.789012345Z src/dir/empty src/locked src/dir src
`;

describe("file system", () => {
  test("FilesystemRestorer makes the tree again that produceFilesystem() read", () => {
    shell(folder, everything);
    if (root) shell(folder, "mknod src/null c 1 3; chown -h 4000000000:3000000 src/loop src/large");
    const before = picture(join(folder, "src"));
    const warnings = warningLog();
    const made = collect(produceFilesystem({
      files,
      paths: [join(folder, "src")],
      ...EVERYTHING,
      frameBytes: 64 * 1024,
      onWarning: warnings.onWarning,
    }));
    const target = join(folder, "out");
    const consumer = new FilesystemRestorer({
      files,
      target,
      overwrite: "refuse",
      redirects: [],
      onWarning: warnings.onWarning,
    });
    const totals = restoreAll(made, consumer);
    expect(warnings.log).toEqual([]);
    expect(picture(join(target, folder, "src"))).toBe(before);
    expect(totals).toEqual({ files: made.files, bytes: made.bytes });
    const blocks = Number(shell(target, `stat -c %b ${target}${folder}/src/holes`));
    expect(blocks).toBeLessThan(1000);
    const middle = "dd if=holes bs=1 skip=499999998 count=7 status=none | od -An -c";
    expect(shell(join(target, folder, "src"), middle).trim())
      .toBe("\\0  \\0   m   i   d  \\0  \\0");
    writeFileSync(join(folder, "media.zst"), toMedia(made));
    mkdirSync(join(folder, "gnu"));
    const said = shell(
      folder,
      `zstd -tq media.zst
       zstd -dcq media.zst | tar -C gnu -xpf - 2>&1 | grep -v -e implausibly -e future || true`,
    );
    expect(said).toBe("");
    expect(picture(join(folder, "gnu", folder, "src"))).toBe(before);
    const listed = shell(folder, "zstd -dcq media.zst | tar -tf - 2>/dev/null | wc -l");
    expect(Number(listed)).toBe(made.rows.length);
  });

  test("rows name the first byte and the length of every member", () => {
    shell(folder, everything);
    const { records, rows } = collect(produceFilesystem({
      files,
      paths: [join(folder, "src")],
      ...EVERYTHING,
      frameBytes: 16 * 1024,
      onWarning: () => {},
    }));
    let end = 0;
    for (const row of rows) {
      expect(row.tarOffset).toBe(end);
      end += row.tarBytes;
    }
    const tarBytes = records.reduce((sum, record) => sum + record.tarBytes, 0);
    expect(tarBytes).toBe(end + 1024);
    expect(records.map((record) => record.sequence)).toEqual([...records.keys()]);
  });

  test("both go below 4096 bytes of path when few descriptors may be open", () => {
    const deep = join(folder, "deep");
    shell(
      folder,
      // Few processes, each with paths below 4096 bytes: one for each name took seconds.
      `mkdir deep; cd deep; for from in 1 21 41; do path=.; names=()
      for ((i = from; i < from + 20; i++)); do
        printf -v name "$i%.0s" {1..80}; path+=/$name; names+=("$path/a" "$path/z"); done
      mkdir -p "$path"; touch -d 2002-02-02T02:02:02.123Z "\${names[@]}"; cd "$path"; done`,
    );
    const warnings = warningLog();
    const made = collect(produceFilesystem({
      files,
      paths: [deep],
      ...EVERYTHING,
      maxOpenDirectories: 3,
      onWarning: warnings.onWarning,
    }));
    expect(made.rows.length).toBe(1 + 60 * 3);
    const target = join(folder, "out");
    const consumer = new FilesystemRestorer({
      files,
      target,
      overwrite: "refuse",
      redirects: [],
      onWarning: warnings.onWarning,
      maxOpenDirectories: 3,
    });
    restoreAll(made, consumer);
    expect(warnings.log).toEqual([]);
    const again = collect(produceFilesystem({
      files,
      paths: [join(target, folder, "deep")],
      ...EVERYTHING,
      maxOpenDirectories: 2,
      onWarning: warnings.onWarning,
    }));
    const facts = (rows: typeof made.rows, cut: number) =>
      rows.map(({ entry }) => [String(entry.path.subarray(cut)), entry.mode, entry.mtimeNs]);
    expect(facts(again.rows, target.length)).toEqual(facts(made.rows, 0));
  });
});
