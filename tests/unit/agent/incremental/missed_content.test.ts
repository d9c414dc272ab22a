// What a backup could not read, or read while it changed: not in its tree, and looked at again.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { SystemError } from "../../../../transport/runtime/files.ts";
import { files, picture, textOf, withFaults } from "../application/fixture.ts";
import { IncrementalBed } from "./incremental_bed.ts";

const secret = withFaults({
  open: (directory, path, flags) => {
    const name = typeof path === "string" ? path : textOf(path);
    if (name === "secret") throw new SystemError("EACCES", "openat", name);
    return files.open(directory, path, flags);
  },
});

describe("an incremental backup", () => {
  test("has no older state of a file that cannot be read any more", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/secret`, "then");
    bed.backUp({ settled: true });
    writeFileSync(`${bed.source}/secret`, "now, longer");
    const { backup } = bed.backUp({ through: secret, settled: true });
    expect(backup).toMatchObject({ level: "incremental", status: "incomplete" });
    {
      using restored = bed.restore(backup.backup);
      expect(existsSync(`${restored.path}/secret`)).toBe(false);
    }
    const next = bed.backUp({ settled: true }).backup;
    expect(next).toMatchObject({ level: "incremental", status: "ok" });
    using restored = bed.restore(next.backup);
    expect(picture(restored.path)).toBe(picture(bed.source));
  });

  test("has nothing of a directory whose name a file has that cannot be read", () => {
    using bed = new IncrementalBed();
    mkdirSync(`${bed.source}/secret/deep`, { recursive: true });
    writeFileSync(`${bed.source}/secret/deep/file`, "then");
    bed.backUp({ settled: true });
    rmSync(`${bed.source}/secret`, { recursive: true });
    writeFileSync(`${bed.source}/secret`, "now");
    const { backup } = bed.backUp({ through: secret, settled: true });
    using restored = bed.restore(backup.backup);
    expect(readdirSync(restored.path)).toEqual([]);
  });

  test("stores again what had an attribute that could not be read", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/file`, "content");
    mkdirSync(`${bed.source}/directory`);
    const list = () => {
      throw new SystemError("EIO", "flistxattr", "file");
    };
    const through = withFaults({ xattrs: { ...bound(), list } });
    expect(bed.backUp({ through, settled: true }).backup.status).toBe("incomplete");
    const next = bed.backUp({ settled: true }).backup;
    expect(next).toMatchObject({ level: "incremental", status: "ok", files: 3 });
    expect(bed.backUp({ settled: true }).backup.files).toBe(0);
  });

  test("reads again what changed while it was read, also when a second reading was quiet", () => {
    using bed = new IncrementalBed();
    writeFileSync(`${bed.source}/file`, "before");
    let reads = 0;
    const through = withFaults({
      readAt: (descriptor, offset, into) => {
        const count = files.readAt(descriptor, offset, into);
        if (reads++ === 0) writeFileSync(`${bed.source}/file`, "AFTER.");
        return count;
      },
    });
    expect(bed.backUp({ through, settled: true }).backup).toMatchObject({ status: "ok" });
    // With its directory, whose time is to be set after it.
    expect(bed.backUp({ settled: true }).backup.files).toBe(2);
    expect(bed.backUp({ settled: true }).backup.files).toBe(0);
  });

  test("presents no zeros for a large file that turns out to be lost after its first sending", () => {
    using bed = new IncrementalBed(8 * 1024);
    writeFileSync(`${bed.source}/large`, "large".repeat(8000));
    let isSent = false;
    const through = withFaults({
      readAt: (descriptor, offset, into) => {
        const count = files.readAt(descriptor, offset, into);
        if (!isSent && offset + count >= 40_000) {
          isSent = true;
          writeFileSync(`${bed.source}/large`, "other".repeat(8000));
        }
        return count;
      },
      statDescriptor: (descriptor) => {
        const stat = files.statDescriptor(descriptor);
        if (isSent && stat.type === "file") throw new SystemError("EIO", "statx", "large");
        return stat;
      },
    });
    const { backup } = bed.backUp({ through, settled: true });
    expect(backup.status).toBe("incomplete");
    using restored = bed.restore(backup.backup);
    expect(existsSync(`${restored.path}/large`)).toBe(false);
    expect(readFileSync(`${bed.source}/large`, "utf8").length).toBe(40_000);
  });
});

/** The real attributes' calls. */
function bound() {
  const { xattrs } = files;
  return {
    list: xattrs.list.bind(xattrs),
    get: xattrs.get.bind(xattrs),
    set: xattrs.set.bind(xattrs),
    remove: xattrs.remove.bind(xattrs),
  };
}
