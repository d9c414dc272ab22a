// A folder on a file system that takes every attribute that a backup must keep: large extended
// attributes and access control lists, as root trusted ones too. The temporary folder of the machine
// is often an ext4 that takes 4 KiB of them, or an overlay; memory file systems take more. Where
// none does, root mounts an ext4 made for it.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { AT_CWD, currentRuntime, SystemError } from "../transport/runtime/mod.ts";

const { files } = await currentRuntime();
const text = new TextEncoder();

export const isRoot = process.getuid?.() === 0;

/** A value that no block of ext4 takes; the kernel's own limit is 65,536 bytes. */
export const LARGE_XATTR_BYTES = 60_000;

/** A list that is no mere mode: owner, user 1000, group, mask, others. */
export const PROBE_ACL = Uint8Array.fromHex(
  "02000000" + "01000600ffffffff" + "02000600e8030000" + "04000400ffffffff" +
    "10000600ffffffff" + "20000000ffffffff",
);

export interface AttributeFolder extends Disposable {
  readonly path: string;
}

/** Makes the folder; disposal removes all of it. @throws Error where no place takes attributes */
export function makeAttributeFolder(parents = [tmpdir(), "/dev/shm"]): AttributeFolder {
  for (const parent of parents) {
    const path = mkdtempSync(join(parent, "attributes-"));
    if (takesAttributes(path)) return { path, [Symbol.dispose]: () => remove(path) };
    remove(path);
  }
  return mountExt4();
}

function takesAttributes(path: string): boolean {
  // On a file of its own: an access control list changes the mode of what it is set on.
  const probe = { directory: AT_CWD, name: join(path, "probe") };
  writeFileSync(probe.name, "");
  try {
    files.xattrs.set(probe, text.encode("user.probe"), new Uint8Array(LARGE_XATTR_BYTES));
    files.xattrs.set(probe, text.encode("system.posix_acl_access"), PROBE_ACL);
    if (isRoot) files.xattrs.set(probe, text.encode("trusted.probe"), new Uint8Array(1));
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  } finally {
    rmSync(probe.name);
  }
}

/** The loop device goes with the mount. */
function mountExt4(): AttributeFolder {
  const folder = mkdtempSync(join(tmpdir(), "attributes-"));
  const [image, mount] = [join(folder, "image"), join(folder, "mount")];
  try {
    mkdirSync(mount);
    execFileSync("truncate", ["-s", "256M", image]);
    execFileSync("mkfs.ext4", ["-q", "-b", "4096", "-O", "ea_inode", image]);
    execFileSync("mount", ["-o", "loop,acl,user_xattr", image, mount]);
  } catch (cause) {
    remove(folder);
    throw new Error("Cannot find a file system that takes attributes; run as root", { cause });
  }
  const dispose = () => {
    execFileSync("umount", [mount]);
    remove(folder);
  };
  return { path: mount, [Symbol.dispose]: dispose };
}

function remove(folder: string): void {
  // Paths may be longer than the runtimes can name.
  execFileSync("rm", ["-rf", folder]);
  rmSync(folder, { recursive: true, force: true });
}
