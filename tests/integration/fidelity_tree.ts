// The source of the fidelity test: a folder for each row of "What is kept" in the README, with what
// that row promises; a path that no single call can name; and a file of 5 GiB that is nearly all hole.

import { join } from "node:path";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { AT_CWD, currentRuntime } from "../../transport/runtime/mod.ts";
import { isRoot, LARGE_XATTR_BYTES, PROBE_ACL } from "../attribute_folder.ts";

const { files } = await currentRuntime();
const bytes = (text: string) => new TextEncoder().encode(text);

/** The folders of the tree. */
export const ROWS = [
  "kinds",
  "links",
  "names",
  "modes",
  "times",
  "holes",
  "xattrs",
  "acls",
  "capabilities",
] as const;

/** Levels of the deep path, and bytes of each name: 6,000 in all, beyond the kernel's 4,096. */
const LEVELS = 30;
const LEVEL_NAME = "d".repeat(200);

/** A list with a user, a group and a mask, for a directory's children. */
const DEFAULT_ACL = Uint8Array.fromHex(
  "02000000" + "01000700ffffffff" + "02000700e8030000" + "04000500ffffffff" +
    "08000500b80b0000" + "10000700ffffffff" + "20000000ffffffff",
);

/** cap_net_bind_service, cap_net_raw, permitted and effective, of the second version. */
export const CAPABILITIES = "0100000200240000000000000000000000000000";

const ROOT_ONLY = `
mknod kinds/character c 1 3; mknod kinds/block b 7 200
ln kinds/character links/character
chown -R 1234:5678 modes/owned; chown -h 77:4000000000 kinds/dangling; chmod 6711 modes/owned/setid
printf x > capabilities/owned; chown 1234:5678 capabilities/owned
`;

const SCRIPT = `
mkdir ${ROWS.join(" ")}
printf data > kinds/file; : > kinds/empty; mkdir -p kinds/directory kinds/empty-directory
printf x > kinds/directory/inside; mkfifo kinds/fifo; ln -s file kinds/link
ln -s /no/where kinds/dangling; ln -s "$(head -c 4095 /dev/zero | tr '\\0' t)" kinds/longest-link
printf linked > links/first; ln links/first links/second; mkdir -p links/a/b
ln links/first links/a/b/third; ln links/first names/fourth; ln -s x links/soft
ln links/soft links/a/soft; ln kinds/fifo links/fifo
printf x > "names/$(printf 'caf\\351-\\377\\376')"; printf x > "names/$(printf 'new\\nline\\ttab')"
printf x > names/-rf; printf x > 'names/*?[glob] "q" \\'; printf x > names/é漢
printf x > "names/$(head -c 255 /dev/zero | tr '\\0' n)"; mkdir "names/$(head -c 255 /dev/zero | tr '\\0' d)"
printf x > modes/none; printf x > modes/setuid; mkdir modes/closed modes/sticky modes/setgid modes/owned
printf x > modes/closed/inside; printf x > modes/owned/setid; printf x > modes/owned/plain
chmod 4755 modes/setuid; chmod 0 modes/none
chmod 1777 modes/sticky; chmod 2750 modes/setgid; chmod 0 modes/closed
head -c 9000000 /dev/zero > holes/full; truncate -s 3M holes/only
truncate -s 2M holes/start; printf end >> holes/start
printf start > holes/end; truncate -s 2M holes/end
truncate -s 4M holes/middle; printf middle | dd of=holes/middle bs=1 seek=2000000 conv=notrunc status=none
printf x > times/old; printf x > times/new; mkdir times/directory; printf x > times/directory/inside
ln -s x times/link; : > capabilities/file
`;

const TIMES = `
touch -d '1901-12-31 23:59:58.999999999 UTC' times/old
touch -d '2242-03-16 12:56:31.000000001 UTC' times/new
touch -h -d '1999-12-31 23:59:59.987654321 UTC' times/link
find . -type d -exec touch -d '2010-10-10 10:10:10.101010101 UTC' {} +
touch -d '1969-12-31 23:59:59.5 UTC' times/directory
`;

/** Makes the tree in `root`/tree, the deep path in `root`/long, the file in `root`/huge. */
export async function makeFidelityTree(root: string): Promise<void> {
  const tree = join(root, "tree");
  const own = isRoot ? ROOT_ONLY : "";
  await needTool(["sh", "-c", `set -e; mkdir -p "$1"; cd "$1"; ${SCRIPT}${own}`, "sh", tree]);
  setAttributes(tree);
  // Last: what goes before changes the times of directories.
  await needTool(["sh", "-c", `set -e; cd "$1"; ${TIMES}`, "sh", tree]);
  makeLongPath(root);
  const huge = 'mkdir "$1"; cd "$1"; truncate -s 5G file; for at in 0 2684354561 5368709115; do ' +
    "printf data | dd of=file bs=1 seek=$at conv=notrunc status=none; done";
  await needTool(["sh", "-c", huge, "sh", join(root, "huge")]);
}

function setAttributes(tree: string): void {
  const set = (path: string, name: string | Uint8Array, value: Uint8Array): void => {
    const key = typeof name === "string" ? bytes(name) : name;
    files.xattrs.set({ directory: AT_CWD, name: join(tree, path) }, key, value);
  };
  const put = (name: string): string => {
    const path = join(tree, name);
    files.close(files.open(AT_CWD, path, { access: "write", create: true }));
    return name;
  };
  const every = Uint8Array.from({ length: 256 }, (_, index) => index);
  for (const path of [put("xattrs/file"), "xattrs"]) {
    set(path, "user.plain", bytes("value"));
    set(path, Uint8Array.of(...bytes("user."), 0xff, 0x3d, 0x25, 0x0a), every);
    set(path, "user.empty", new Uint8Array(0));
  }
  set(put("xattrs/large"), "user.large", new Uint8Array(LARGE_XATTR_BYTES).fill(0x5a));
  put("xattrs/many");
  for (let index = 0; index < 100; index++) set("xattrs/many", `user.${index}`, bytes(`${index}`));
  set(put("acls/file"), "system.posix_acl_access", PROBE_ACL);
  set("acls", "system.posix_acl_access", DEFAULT_ACL);
  set("acls", "system.posix_acl_default", DEFAULT_ACL);
  put("acls/inherits");
  if (!isRoot) return;
  set("kinds/fifo", "system.posix_acl_access", PROBE_ACL);
  for (const path of ["kinds/link", "kinds/fifo", "kinds/character", "xattrs/file", "xattrs"]) {
    set(path, "trusted.own", bytes(path));
  }
  for (const path of ["capabilities/file", "capabilities/owned"]) {
    set(path, "security.capability", Uint8Array.fromHex(CAPABILITIES));
  }
}

function makeLongPath(root: string): void {
  const flags = { access: "read", directory: true } as const;
  files.makeDirectory(AT_CWD, join(root, "long"), 0o755);
  let inner = files.open(AT_CWD, join(root, "long"), flags);
  const opened = [inner];
  for (let level = 0; level < LEVELS; level++) {
    files.makeDirectory(inner, LEVEL_NAME, 0o755);
    inner = files.open(inner, LEVEL_NAME, flags);
    opened.push(inner);
  }
  const leaf = files.open(inner, "leaf", { access: "write", create: true });
  files.writeAll(leaf, bytes("deep"));
  files.close(leaf);
  files.link(inner, "leaf", inner, "link");
  files.symlink("leaf", inner, "soft");
  files.xattrs.set({ directory: inner, name: "leaf" }, bytes("user.deep"), bytes("deep"));
  for (const descriptor of opened.reverse()) {
    files.setTimes(descriptor, ".", 1_000_000_007n, 1_000_000_007n);
    files.close(descriptor);
  }
}

/** What two programs see of the deep path: `find` and, in each directory, `cat` and `getfattr`. */
export async function longPathFacts(root: string): Promise<string> {
  const script = "find . -printf '%d %f %y %m %U:%G %T@ %s %l %n\\n'; " +
    "find . -type f -name leaf -execdir cat {} \\; -execdir getfattr -d -m - -e hex {} \\;";
  return new TextDecoder().decode(await needTool(["sh", "-c", script], { cwd: root }));
}
