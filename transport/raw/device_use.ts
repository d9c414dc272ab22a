// Who uses a device: file systems that are mounted from it or from one of its partitions, swap,
// other devices that are built on it (device mapper, MD, loop), and whoever else the kernel has
// given it to alone. Read from /proc and /sys, and asked of the kernel by an exclusive open, which
// also sees mounts of other containers.
//
// Invariant: nothing is written, and what cannot be read proves nothing.

import { AgentError } from "../ground/error.ts";
import { AT_CWD, type Files, type FileStat, SystemError } from "../runtime/files.ts";
import { readSmallFile } from "../runtime/small_file.ts";

/** Most bytes of a file of /proc or /sys: a host with a hundred thousand mounts has fewer. */
const PROC_BYTES_MAX = 64 * 1024 * 1024;

/** @throws AgentError `busy` with the use that was found */
export function refuseUsedDevice(files: Files, path: string): void {
  const found = findUse(files, path);
  if (found === null) return;
  throw new AgentError("busy", `Cannot format volume "${path}": ${found}, need an unused device`, {
    hint: "Unmount or detach it first; --force does not help here.",
  });
}

/** As in `it is mounted at "/srv"`; null when nobody uses it. */
export function findUse(files: Files, path: string): string | null {
  const stat = statOf(files, path);
  if (stat === null) return null; // Opening it will say why.
  const own: Device = {
    number: stat.type === "block" ? `${stat.rdevMajor}:${stat.rdevMinor}` : null,
    isSame: (other) => isSameMedium(stat, other),
  };
  const isBlock = own.number !== null;
  return (isBlock ? mountUse(files, own) ?? stackUse(files, own) : null) ?? swapUse(files, own) ??
    loopUse(files, own) ?? (isBlock ? exclusiveUse(files, path) : null);
}

interface Device {
  /** As in "8:1"; null for a plain file. */
  readonly number: string | null;
  readonly isSame: (other: FileStat) => boolean;
}

function isSameMedium(one: FileStat, other: FileStat): boolean {
  if (one.type !== other.type) return false;
  if (one.type === "block") {
    return one.rdevMajor === other.rdevMajor && one.rdevMinor === other.rdevMinor;
  }
  return one.inode === other.inode && one.deviceMajor === other.deviceMajor &&
    one.deviceMinor === other.deviceMinor;
}

function mountUse(files: Files, device: Device): string | null {
  const numbers = [device.number, ...partitionsOf(files, device).map(({ number }) => number)];
  for (const line of linesOf(files, "/proc/self/mountinfo")) {
    // "36 35 8:1 /root /mount/point options … - type source options"
    const [fields = "", rest = ""] = line.split(" - ");
    const [, , number = "", , point = ""] = fields.split(" ");
    const source = statOf(files, unescapePath(rest.split(" ")[1] ?? ""));
    if (!numbers.includes(number) && !(source !== null && device.isSame(source))) continue;
    const part = number === device.number || !numbers.includes(number) ? "it" : "a partition of it";
    return `${part} is mounted at "${unescapePath(point)}"`;
  }
  return null;
}

/** Devices that the kernel has built on it or on one of its partitions. */
function stackUse(files: Files, device: Device): string | null {
  const folder = `/sys/dev/block/${device.number}`;
  for (const at of [folder, ...partitionsOf(files, device).map(({ path }) => path)]) {
    const holder = namesIn(files, `${at}/holders`)[0];
    if (holder !== undefined) return `device "${holder}" is built on it`;
  }
  return null;
}

function swapUse(files: Files, device: Device): string | null {
  const parts = partitionsOf(files, device);
  for (const line of linesOf(files, "/proc/swaps").slice(1)) {
    const path = unescapePath(line.split(/\s/)[0] ?? "");
    const stat = statOf(files, path);
    if (stat === null) continue;
    const number = `${stat.rdevMajor}:${stat.rdevMinor}`;
    const isPart = stat.type === "block" && parts.some((part) => part.number === number);
    if (device.isSame(stat) || isPart) return `"${path}" is used as swap space`;
  }
  return null;
}

function loopUse(files: Files, device: Device): string | null {
  for (const name of namesIn(files, "/sys/block").filter((name) => name.startsWith("loop"))) {
    const backing = linesOf(files, `/sys/block/${name}/loop/backing_file`)[0];
    if (backing === undefined || backing === "") continue;
    const stat = statOf(files, backing);
    if (stat !== null && device.isSame(stat)) return `loop device "${name}" is built on it`;
  }
  return null;
}

/** The kernel gives a block device to one exclusive user at a time. */
function exclusiveUse(files: Files, path: string): string | null {
  try {
    files.close(files.open(AT_CWD, path, { access: "read", exclusive: true }));
    return null;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.errno === "EBUSY" ? "the kernel has given it to another user" : null;
  }
}

interface Partition {
  readonly path: string;
  readonly number: string;
}

function partitionsOf(files: Files, device: Device): Partition[] {
  if (device.number === null) return [];
  const folder = `/sys/dev/block/${device.number}`;
  return namesIn(files, folder).flatMap((name) => {
    const path = `${folder}/${name}`;
    if (linesOf(files, `${path}/partition`).length === 0) return [];
    const number = linesOf(files, `${path}/dev`)[0];
    return number === undefined ? [] : [{ path, number }];
  });
}

function statOf(files: Files, path: string): FileStat | null {
  if (!path.startsWith("/")) return null; // "tmpfs" and its like are no paths.
  return orNull(() => files.stat(AT_CWD, path, { follow: true }));
}

function namesIn(files: Files, path: string): string[] {
  return orNull(() => {
    const folder = files.open(AT_CWD, path, { access: "read", directory: true });
    try {
      return files.list(folder).map(({ name }) => new TextDecoder().decode(name));
    } finally {
      files.close(folder);
    }
  }) ?? [];
}

function linesOf(files: Files, path: string): string[] {
  return orNull(() => {
    const bytes = readSmallFile(files, path, PROC_BYTES_MAX);
    return bytes === null ? [] : new TextDecoder().decode(bytes).replace(/\n$/, "").split("\n");
  }) ?? [];
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

/** Blanks and the like are written in octal: "\040". */
function unescapePath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => {
    return String.fromCharCode(parseInt(digits, 8));
  });
}
