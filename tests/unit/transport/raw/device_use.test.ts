// Devices that are really in use, as root on loop devices; and what only other hosts have, by a
// /proc and /sys made by hand.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../../../../transport/ground/error.ts";
import { findUse, refuseUsedDevice } from "../../../../transport/raw/mod.ts";
import { FakeTree } from "./fake_tree.ts";
import { describeOnLoop, LoopDevice, run } from "./loop_device.ts";
import { openRaw, RawFiles, runtime } from "./raw_files.ts";

const SIZE_BYTES = 32 * 1024 * 1024;
const { files } = runtime;

describeOnLoop("findUse()", () => {
  let folder: RawFiles;
  let undo: (() => void)[] = [];
  beforeEach(() => {
    folder = new RawFiles();
    undo = [() => folder[Symbol.dispose]()];
  });
  afterEach(() => {
    // Everything is undone, also when one of the steps fails.
    const failures = undo.reverse().flatMap((step) => {
      try {
        step();
        return [];
      } catch (error) {
        return [error];
      }
    });
    expect(failures).toEqual([]);
  });

  function loop(): string {
    const device = new LoopDevice({ sizeBytes: SIZE_BYTES });
    undo.push(() => device[Symbol.dispose]());
    return device.path;
  }

  function mount(path: string): string {
    const point = join(folder.folder, "a b");
    mkdirSync(point);
    run("mkfs.ext4", "-q", "-F", path);
    run("mount", path, point);
    undo.push(() => run("umount", point));
    return point;
  }

  test("is null for a device that nobody uses, and while volumes are open on it", async () => {
    const path = loop();
    expect(findUse(files, path)).toBe(null);
    const volume = await openRaw(path);
    expect(findUse(files, path)).toBe(null);
    volume.close();
  });

  test("names where a file system is mounted, and refuses", () => {
    const path = loop();
    const point = mount(path);
    expect(findUse(files, path)).toBe(`it is mounted at "${point}"`);
    let thrown: unknown = null;
    try {
      refuseUsedDevice(files, path);
    } catch (error) {
      thrown = error;
    }
    if (!(thrown instanceof AgentError)) throw new Error(`found ${thrown}, need an AgentError`);
    expect(thrown.code).toBe("busy");
    expect(thrown.hint).toContain("--force does not help");
  });

  test("sees swap space that is used", () => {
    const path = loop();
    run("mkswap", path);
    run("swapon", path);
    undo.push(() => run("swapoff", path));
    expect(findUse(files, path)).toBe(`"${path}" is used as swap space`);
  });

  test("sees a loop device that is built on a device, and on a file", () => {
    const lower = loop();
    const upper = run("losetup", "--find", "--show", lower).trim();
    undo.push(() => run("losetup", "--detach", upper));
    expect(findUse(files, lower)).toBe(`loop device "${upper.slice(5)}" is built on it`);
    const file = folder.make("lun", SIZE_BYTES);
    expect(findUse(files, file)).toBe(null);
    const device = run("losetup", "--find", "--show", file).trim();
    undo.push(() => run("losetup", "--detach", device));
    expect(findUse(files, file)).toBe(`loop device "${device.slice(5)}" is built on it`);
  });

  test("sees a partition that is mounted", () => {
    const file = folder.make("lun", SIZE_BYTES);
    const path = run("losetup", "--find", "--show", "--partscan", file).trim();
    undo.push(() => run("losetup", "--detach", path));
    // By hand, since not every kernel reads partition tables.
    run("addpart", path, "1", "2048", "60000");
    undo.push(() => run("delpart", path, "1"));
    const point = mount(`${path}p1`);
    expect(findUse(files, path)).toBe(`a partition of it is mounted at "${point}"`);
    expect(findUse(files, `${path}p1`)).toBe(`it is mounted at "${point}"`);
  });
});

describe("findUse() of a /proc and /sys made by hand", () => {
  const disk = { type: "block", rdevMajor: 8, rdevMinor: 16 } as const;

  test("sees what is built on a device, or on a partition of it", () => {
    const tree = new FakeTree({ "/dev/sdb": disk, "/sys/dev/block/8:16/holders/dm-3": "" });
    expect(findUse(tree.files, "/dev/sdb")).toBe('device "dm-3" is built on it');
    const parts = new FakeTree({
      "/dev/sdb": disk,
      "/sys/dev/block/8:16/sdb1/partition": "1\n",
      "/sys/dev/block/8:16/sdb1/dev": "8:17\n",
      "/sys/dev/block/8:16/sdb1/holders/md0": "",
    });
    expect(findUse(parts.files, "/dev/sdb")).toBe('device "md0" is built on it');
  });

  test("sees swap space on a partition", () => {
    const tree = new FakeTree({
      "/dev/sdb": disk,
      "/dev/sdb1": { type: "block", rdevMajor: 8, rdevMinor: 17 },
      "/sys/dev/block/8:16/sdb1/partition": "1\n",
      "/sys/dev/block/8:16/sdb1/dev": "8:17\n",
      "/proc/swaps": "Filename Type Size Used Priority\n/dev/sdb1 partition 1 0 -2\n",
    });
    expect(findUse(tree.files, "/dev/sdb")).toBe('"/dev/sdb1" is used as swap space');
  });

  test("sees a mount whose file system has a number of its own, by its source", () => {
    const line = "30 1 0:45 / /srv rw shared:1 - btrfs /dev/disk/by-id/lun rw\n";
    const tree = new FakeTree({
      "/dev/sdb": disk,
      "/dev/disk/by-id/lun": disk,
      "/proc/self/mountinfo": line,
    });
    expect(findUse(tree.files, "/dev/sdb")).toBe('it is mounted at "/srv"');
  });

  test("takes the kernel's word for users that it cannot see", () => {
    const tree = new FakeTree({ "/dev/sdb": disk });
    expect(findUse(tree.files, "/dev/sdb")).toBe(null);
    tree.busy = "/dev/sdb";
    expect(findUse(tree.files, "/dev/sdb")).toBe("the kernel has given it to another user");
  });
});
