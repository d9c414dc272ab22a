// Incremental backups one matter at a time: what is read, what is stored, what is noted.

import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "bun:test";
import { SystemError } from "../../../../transport/runtime/files.ts";
import type { Files } from "../../../../transport/runtime/files.ts";
import { files, picture, textOf } from "../application/fixture.ts";
import { codeOf } from "../vault/vault_fixture.ts";
import { IncrementalBed } from "./incremental_bed.ts";

/** Files with some calls replaced. */
function withFaults(faults: Partial<Files>): Files {
  return new Proxy(files, {
    get: (target, key: keyof Files) => {
      const call = faults[key] ?? target[key];
      return typeof call === "function" ? call.bind(target) : call;
    },
  });
}

describe("an incremental backup", () => {
  test("neither opens nor stores what did not change", () => {
    using bed = new IncrementalBed();
    mkdirSync(`${bed.source}/d`);
    for (let at = 0; at < 50; at++) writeFileSync(`${bed.source}/d/f${at}`, "content");
    expect(bed.backUp({ settled: true }).backup.files).toBe(52);
    const before = statSync(`${bed.vault}/catalog.sqlite`).size;
    const opened: string[] = [];
    const through = withFaults({
      open: (directory, path, flags) => {
        opened.push(typeof path === "string" ? path : textOf(path));
        return files.open(directory, path, flags);
      },
    });
    const { backup } = bed.backUp({ through });
    expect([backup.level, backup.files, backup.bytes]).toEqual(["incremental", 0, 0]);
    expect(opened).toEqual([bed.source, "d"]);
    using media = bed.media(backup.backup);
    expect([...media.indexRows()]).toEqual([]);
    expect(statSync(`${bed.vault}/catalog.sqlite`).size - before).toBeLessThan(16 * 1024);
    using restored = bed.restore(backup.backup);
    expect(picture(restored.path)).toBe(picture(bed.source));
  });

  test("reads once more what was changed a moment before the backup", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/a`, "a");
    expect(bed.backUp().backup.files).toBe(2);
    expect(bed.backUp().backup).toMatchObject({ level: "incremental", files: 2 });
  });

  test("is full when asked for, or when paths or excludes are others", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/a`, "a");
    expect(bed.backUp().backup).toMatchObject({ level: "full", parent: null });
    expect(bed.backUp().backup).toMatchObject({ level: "incremental", parent: "b0001" });
    expect(bed.backUp({ exclude: ["/x"] }).backup).toMatchObject({ level: "full" });
    expect(bed.backUp({ full: true }).backup).toMatchObject({ level: "full" });
    expect(bed.backUp().backup).toMatchObject({ level: "incremental", parent: "b0004" });
    expect(bed.backUp({ exclude: ["/x"] }).backup).toMatchObject({ parent: "b0003" });
  });

  test("links a new name to data in older media, and maps names when the first one moves", () => {
    using bed = new IncrementalBed();
    const at = (name: string) => `${bed.source}/${name}`;
    mkdirSync(at("m"));
    mkdirSync(at("d"));
    writeFileSync(at("d/z"), "shared");
    linkSync(at("d/z"), at("m/one"));
    writeFileSync(at("x"), "other");
    bed.backUp();
    bed.backUp();
    // The directory's new name sorts after "m": the first name of the set is another one now.
    renameSync(at("d"), at("q"));
    const second = bed.backUp().backup;
    linkSync(at("x"), at("y"));
    const third = bed.backUp().backup;
    for (const { backup } of [second, third]) {
      using partial = bed.restore(backup, [`${bed.source}/q/z`]);
      expect(readFileSync(`${partial.path}/q/z`, "utf8")).toBe("shared");
    }
    using restored = bed.restore(third.backup);
    expect(picture(restored.path)).toBe(picture(bed.source));
    using replayed = bed.replay(third.backup);
    expect(picture(replayed.path)).toBe(picture(bed.source));
  });

  test("reads again what changed while it was read, and keeps void members out of the tree", () => {
    using bed = new IncrementalBed(8 * 1024);
    const at = (name: string) => `${bed.source}/${name}`;
    for (const name of ["changes", "fails", "stillness"]) {
      writeFileSync(at(name), name.repeat(8000));
    }
    bed.backUp();
    writeFileSync(at("changes"), "CHANGES".repeat(8000));
    writeFileSync(at("fails"), "FAILS".repeat(8000));
    let count = 0;
    const through = withFaults({
      readAt: (descriptor, offset, into) => {
        const { sizeBytes } = files.statDescriptor(descriptor);
        if (sizeBytes === 40_000 && offset > 0) throw new SystemError("EIO", "pread", "fails");
        if (sizeBytes === 56_000 && offset === 0) {
          writeFileSync(at("changes"), `${count++}`.repeat(56_000));
        }
        return files.readAt(descriptor, offset, into);
      },
    });
    const { backup } = bed.backUp({ through });
    expect(backup.status).toBe("incomplete");
    expect(backup.skipped).toEqual([
      { path: at("changes"), reason: "changed" },
      { path: at("fails"), reason: "unreadable" },
    ]);
    using partial = bed.restore(backup.backup);
    expect(existsSync(`${partial.path}/fails`)).toBe(false);
    expect(statSync(`${partial.path}/changes`).size).toBe(56_000);
    const next = bed.backUp().backup;
    expect(next.status).toBe("ok");
    using restored = bed.restore(next.backup);
    expect(picture(restored.path)).toBe(picture(bed.source));
  });

  test("is refused when another one was published on the same parent", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/a`, "a");
    bed.backUp();
    let other = "";
    const through = withFaults({
      visitNames: (descriptor, visit) => {
        if (other === "") other = bed.backUp().backup.backup;
        files.visitNames(descriptor, visit);
      },
    });
    writeFileSync(`${bed.source}/b`, "b");
    expect(codeOf(() => bed.backUp({ through }))).toBe("busy");
    using vault = bed.openVault();
    expect(vault.backups().map(({ backup }) => backup)).toEqual(["b0001", other]);
  });

  test("is reported and left alone when its parent is missing from the media", () => {
    using bed = new IncrementalBed();
    for (const name of ["a", "b", "c"]) {
      writeFileSync(`${bed.source}/${name}`, name);
      bed.backUp();
    }
    for (const file of ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"]) {
      rmSync(`${bed.vault}/${file}`, { force: true });
    }
    renameSync(`${bed.vault}/media/b0002.tar.zst`, `${bed.vault}/b0002`);
    {
      using vault = bed.openVault();
      expect(vault.recovery.adopted).toEqual(["b0001"]);
      const [missing] = vault.recovery.unreadable;
      expect(missing?.error.message).toContain('its parent "b0002" is not in the catalog');
    }
    renameSync(`${bed.vault}/b0002`, `${bed.vault}/media/b0002.tar.zst`);
    using vault = bed.openVault();
    expect(vault.recovery.adopted).toEqual(["b0002", "b0003"]);
  });
});

describe("searches", () => {
  test("diff() says what was added, removed and changed, and find() who has it", () => {
    using bed = new IncrementalBed();
    const at = (name: string) => `${bed.source}/${name}`;
    mkdirSync(at("gone"));
    for (const name of ["gone/x", "kept", "longer"]) writeFileSync(at(name), name);
    const first = bed.backUp().backup.backup;
    rmSync(at("gone"), { recursive: true });
    writeFileSync(at("longer"), "longer than before");
    writeFileSync(at("new"), "new");
    const second = bed.backUp().backup.backup;
    const full = bed.backUp({ full: true }).backup.backup;
    using vault = bed.openVault();
    const seen = (before: string, after: string) =>
      [...vault.diff(before, after)].flatMap((one) =>
        one === null || one.path === bed.source
          ? []
          : [`${one.change} ${one.path.slice(bed.source.length)} ${one.reasons.join()}`]
      );
    const expected = [
      "removed /gone ",
      "changed /longer size,mtime",
      "added /new ",
      "removed /gone/x ",
    ];
    expect(seen(first, second)).toEqual(expected);
    expect(seen(first, full)).toEqual(expected);
    expect(seen(second, full)).toEqual([]);
    expect(seen(second, first)).toEqual([
      "added /gone ",
      "changed /longer size,mtime",
      "removed /new ",
      "added /gone/x ",
    ]);
    const found = [...vault.find(`${bed.source}/**/x`)];
    expect(found).toMatchObject([{ path: at("gone/x"), first, last: first, client: "web01" }]);
    const states = [...vault.find(at("longer"))].map((one) => [one?.first, one?.last, one?.bytes]);
    expect(states).toEqual([[first, first, 6], [second, second, 18], [full, full, 18]]);
    expect(codeOf(() => [...vault.find("/no/such")])).toBe("failed");
  });
});

describe("verify()", () => {
  test("looks at all media that hold a backup, and subsets cover every frame once", () => {
    using bed = new IncrementalBed(8 * 1024);
    for (let at = 0; at < 20; at++) {
      writeFileSync(`${bed.source}/f${at}`, new Uint8Array(5000).map((_, i) => (i * at) % 251));
    }
    const first = bed.backUp({ settled: true }).backup.backup;
    writeFileSync(`${bed.source}/f3`, "changed");
    unlinkSync(`${bed.source}/f4`);
    const second = bed.backUp().backup.backup;
    const file = `${bed.vault}/media/${first}.tar.zst`;
    const bytes = readFileSync(file);
    using media = bed.media(first);
    const frames = media.frames.length;
    expect(frames).toBeGreaterThan(8);
    // Every frame of the older file is damaged: each must be found by exactly one part.
    for (const { mediaOffset, compressedBytes } of media.frames) {
      bytes[mediaOffset + compressedBytes - 1] = (bytes[mediaOffset + compressedBytes - 1] ?? 0) ^
        1;
    }
    writeFileSync(file, bytes);
    using reader = bed.reader();
    expect(reader.mediaOf(second)).toEqual([first, second]);
    const counts = [1, 2, 3].map((part) =>
      [first, second].reduce((sum, backup) => {
        const events = [...reader.verify(backup, { data: true, subset: { part, of: 3 } })];
        return sum + events.filter(({ type }) => type === "finding").length;
      }, 0)
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(frames);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThan(3);
  });
});
