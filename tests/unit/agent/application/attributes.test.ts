// Extended attributes, access control lists and capabilities through produce and restore: what is
// kept on which kind of object, what a target adds by itself, and what cannot be set or read.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  FilesystemRestorer,
  makesIncomplete,
  produceFilesystem,
} from "../../../../agent/application/mod.ts";
import type { FilesystemRestorerOptions } from "../../../../agent/application/mod.ts";
import { AT_CWD, SystemError } from "../../../../transport/runtime/files.ts";
import type { Files, Xattrs } from "../../../../transport/runtime/files.ts";
import {
  type AttributeFolder,
  isRoot,
  LARGE_XATTR_BYTES,
  makeAttributeFolder,
  PROBE_ACL,
} from "../../../attribute_folder.ts";
import {
  collect,
  files,
  picture,
  restoreAll,
  shell,
  textOf,
  toMedia,
  warningLog,
  withFaults,
} from "./fixture.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";
const CAPABILITY = "security.capability";
/** cap_net_raw and cap_sys_ptrace, permitted and effective, of the second version. */
const CAPABILITIES = Uint8Array.fromHex("0100000200200800000000000000000000000000");

let place: AttributeFolder;
let folder = "";
let source = "";
beforeEach(() => {
  place = makeAttributeFolder();
  folder = place.path;
  source = join(folder, "src");
  mkdirSync(source);
});
afterEach(() => place[Symbol.dispose]());

function set(path: string, name: string | Uint8Array, value: Uint8Array): void {
  const key = typeof name === "string" ? bytes(name) : name;
  files.xattrs.set({ directory: AT_CWD, name: path }, key, value);
}

/** "name=value" of each attribute of a path, sorted. */
function attributesOf(path: string): string[] {
  const subject = { directory: AT_CWD, name: path };
  return files.xattrs.list(subject).map((name) => {
    const value = files.xattrs.get(subject, name) ?? new Uint8Array(0);
    return `${String(name)}=${value.toHex()}`;
  }).sort();
}

function produce(log = warningLog(), from: Files = files) {
  const options = { paths: [source], ...EVERYTHING, frameBytes: 64 * 1024 };
  return collect(produceFilesystem({ ...options, files: from, onWarning: log.onWarning }));
}

function restorer(options: Partial<FilesystemRestorerOptions> = {}): FilesystemRestorer {
  const target = join(folder, "out");
  const fixed = { files, target, overwrite: "refuse", redirects: [] } as const;
  return new FilesystemRestorer({ ...fixed, onWarning: () => {}, ...options });
}

/** The real files whose attributes are partly replaced. */
function withXattrFaults(faults: Partial<Xattrs>): Files {
  const { xattrs } = files;
  const real: Xattrs = {
    list: (subject) => xattrs.list(subject),
    get: (subject, name) => xattrs.get(subject, name),
    set: (subject, name, value) => xattrs.set(subject, name, value),
    remove: (subject, name) => xattrs.remove(subject, name),
  };
  return withFaults({ xattrs: { ...real, ...faults } });
}

function refusing(errno: string): () => never {
  return () => {
    throw new SystemError(errno, "setxattr", "x");
  };
}

const out = (path: string) => join(folder, "out", source, path);

describe("extended attributes", () => {
  test("come back on every kind of object, by us and by GNU tar", () => {
    shell(
      source,
      `mkdir dir; printf data > file; : > none; ln -s nowhere link; mkfifo fifo; ln file hard
       head -c 300000 /dev/urandom > large; chmod 000 none; chmod 1777 dir`,
    );
    const at = (name: string) => join(source, name);
    const every = Uint8Array.from({ length: 256 }, (_, index) => index);
    for (const name of ["dir", "file", "none", "large"]) {
      set(at(name), "user.name", bytes(name));
      set(at(name), Uint8Array.of(...bytes("user."), 0xff, 0x3d, 0x25, 0x0a), every);
      set(at(name), "user.empty", new Uint8Array(0));
      set(at(name), ACCESS, PROBE_ACL);
    }
    set(at("dir"), DEFAULT, PROBE_ACL);
    for (let index = 0; index < 4; index++) {
      set(at("large"), `user.large${index}`, new Uint8Array(LARGE_XATTR_BYTES).fill(index));
    }
    for (let index = 0; index < 60; index++) set(at("none"), `user.many${index}`, bytes("x"));
    const names = ["dir", "file", "none", "large", "hard", "link", "fifo"];
    if (isRoot) {
      for (const name of names) set(at(name), "trusted.own", bytes(name));
      shell(source, "mknod device c 1 3; chown 1234:5678 file none");
      set(at("device"), ACCESS, PROBE_ACL);
      set(at("file"), CAPABILITY, CAPABILITIES);
      set(at("none"), CAPABILITY, CAPABILITIES);
    }
    const log = warningLog();
    const made = produce(log);
    restoreAll(made, restorer({ onWarning: log.onWarning }));
    expect(log.log).toEqual([]);
    writeFileSync(join(folder, "media.zst"), toMedia(made));
    const flags = "--xattrs --xattrs-include='*' --acls --numeric-owner";
    shell(folder, `mkdir gnu; zstd -dcq media.zst | tar -C gnu ${flags} -xpf -`);
    const byTar = join(folder, "gnu", source);
    for (const name of isRoot ? [...names, "device"] : names) {
      const wanted = attributesOf(at(name));
      expect([name, attributesOf(out(name))]).toEqual([name, wanted]);
      expect([name, attributesOf(join(byTar, name))]).toEqual([name, wanted]);
    }
    expect(attributesOf(out("file")).length).toBe(isRoot ? 6 : 4);
    expect(picture(out(""))).toBe(picture(source));
    expect(picture(byTar)).toBe(picture(source));
  });

  test("are exactly those of the backup in a target that has a default access control list", () => {
    shell(source, "mkdir dir; printf x > dir/file; ln -s x dir/link; mkfifo dir/fifo");
    shell(source, "printf y > dir/second; chmod 640 dir/file dir/second; chmod 755 dir");
    const before = picture(source);
    const made = produce();
    mkdirSync(join(folder, "out"));
    set(join(folder, "out"), DEFAULT, PROBE_ACL);
    restoreAll(made, restorer());
    expect(attributesOf(join(folder, "out", folder)).length).toBe(2); // No entry of its own.
    for (const name of ["", "dir", "dir/file", "dir/second", "dir/link", "dir/fifo"]) {
      expect([name, attributesOf(out(name))]).toEqual([name, []]);
    }
    expect(picture(out(""))).toBe(before);
  });

  test("and owners cost no call for files that are made with what they have", () => {
    shell(source, "mkdir dir; for i in 1 2 3 4 5; do : > dir/$i; done");
    set(join(source, "dir/4"), "user.name", bytes("4"));
    if (isRoot) shell(source, "chown 1234 dir/3; chown :5678 dir/2");
    const calls = { lists: 0, owners: 0 };
    const counting = withFaults({
      changeOwner: (at, path, uid, gid) => {
        if (path === null) calls.owners++;
        files.changeOwner(at, path, uid, gid);
      },
      xattrs: {
        list: (subject) => {
          calls.lists++;
          return files.xattrs.list(subject);
        },
        get: (subject, name) => files.xattrs.get(subject, name),
        set: (subject, name, value) => files.xattrs.set(subject, name, value),
        remove: (subject, name) => files.xattrs.remove(subject, name),
      },
    });
    const made = produce();
    restoreAll(made, restorer({ files: counting }));
    expect(picture(out(""))).toBe(picture(source));
    expect(attributesOf(out("dir/4"))).toEqual(attributesOf(join(source, "dir/4")));
    // The two directories, the first file of one of them, and what has something of its own.
    expect(calls).toEqual({ lists: 2 + 1 + 1, owners: 2 + (isRoot ? 2 : 0) });
  });

  test("of a directory that is there are replaced with always, kept with never", () => {
    mkdirSync(join(source, "dir"));
    set(join(source, "dir"), "user.ours", bytes("backup"));
    const made = produce();
    restoreAll(made, restorer());
    set(out("dir"), "user.ours", bytes("mine"));
    set(out("dir"), "user.more", bytes("mine"));
    const mine = attributesOf(out("dir"));
    restoreAll(made, restorer({ overwrite: "never" }));
    expect(attributesOf(out("dir"))).toEqual(mine);
    restoreAll(made, restorer({ overwrite: "always" }));
    expect(attributesOf(out("dir"))).toEqual(attributesOf(join(source, "dir")));
  });
});

describe("attributes that cannot be set", () => {
  test("are warned of by file and kind, and all else is restored", () => {
    shell(source, "printf data > file; chmod 640 file; touch -d @5 file; mkdir dir");
    set(join(source, "file"), "user.a", bytes("a"));
    set(join(source, "file"), "user.b", bytes("b"));
    set(join(source, "dir"), DEFAULT, PROBE_ACL);
    if (isRoot) set(join(source, "file"), CAPABILITY, CAPABILITIES);
    const made = produce();
    for (const errno of ["EOPNOTSUPP", "EPERM", "ENOSPC"]) {
      shell(folder, "rm -rf out");
      const said: string[] = [];
      const log = warningLog();
      const onWarning: FilesystemRestorerOptions["onWarning"] = (warning) => {
        log.onWarning(warning);
        said.push(`${warning.code} ${warning.message}`);
      };
      restoreAll(made, restorer({ files: withXattrFaults({ set: refusing(errno) }), onWarning }));
      const file = isRoot ? [`capability ${source}/file`] : [];
      expect(log.log.sort()).toEqual(
        [`acl ${source}/dir`, ...file, `xattr ${source}/file`].sort(),
      );
      const xattrs = said.find((line) => line.startsWith("xattr not restored: ")) ?? "";
      for (const name of ["a", "b"]) expect(xattrs).toContain(`user.${name} (${errno})`);
      expect(said).toContain(`acl not restored: ${DEFAULT} (${errno})`);
      expect(readFileSync(out("file"), "utf8")).toBe("data");
      expect(statSync(out("file")).mode & 0o7777).toBe(0o640);
      expect(statSync(out("file")).mtimeMs).toBe(5000);
    }
    expect((["acl", "capability", "xattr"] as const).map(makesIncomplete)).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("times and modes that cannot be set are warned of, and the object stays", () => {
    shell(source, "printf data > file; ln -s x link");
    const made = produce();
    const log = warningLog();
    const faulty = withFaults({ setTimes: refusing("EPERM"), changeMode: refusing("EPERM") });
    restoreAll(made, restorer({ files: faulty, onWarning: log.onWarning }));
    const wanted = ["file", "link", ""].flatMap((name) => {
      const path = name === "" ? source : `${source}/${name}`;
      return name === "link" ? [`times ${path}`] : [`times ${path}`, `mode ${path}`];
    });
    // Then the parents of the source, which have no entry of their own.
    expect(log.log.slice(0, wanted.length)).toEqual(wanted);
    expect(log.log.slice(wanted.length).every((line) => line === "unwritten /")).toBe(true);
    expect(log.log.length).toBe(wanted.length + folder.split("/").length - 1);
    expect(readFileSync(out("file"), "utf8")).toBe("data");
    expect((["times", "mode"] as const).map(makesIncomplete)).toEqual([true, true]);
  });

  test("end the restore when the medium fails", () => {
    writeFileSync(join(source, "file"), "x");
    set(join(source, "file"), "user.a", bytes("a"));
    const made = produce();
    const consumer = restorer({ files: withXattrFaults({ set: refusing("EIO") }) });
    expect(() => restoreAll(made, consumer)).toThrow("need a medium that takes writes");
    consumer.abort();
  });
});

describe("attributes that cannot be read", () => {
  test("are warned of once for each object, and all else is stored", () => {
    shell(source, "printf data > file; mkdir dir");
    for (const name of ["file", "dir"]) {
      set(join(source, name), "user.good", bytes("good"));
      set(join(source, name), "user.bad", bytes("bad"));
    }
    const said: string[] = [];
    const log = warningLog();
    const faulty = withXattrFaults({
      get: (subject, name) => {
        if (textOf(name) === "user.bad") throw new SystemError("EACCES", "getxattr", "x");
        return files.xattrs.get(subject, name);
      },
    });
    const onWarning: FilesystemRestorerOptions["onWarning"] = (warning) => {
      log.onWarning(warning);
      said.push(warning.message);
    };
    restoreAll(produce({ ...log, onWarning }, faulty), restorer());
    expect(log.log).toEqual([`unread_xattr ${source}/dir`, `unread_xattr ${source}/file`]);
    expect(said[0]).toBe("not stored: user.bad (EACCES)");
    expect(attributesOf(out("file"))).toEqual([`${String(bytes("user.good"))}=676f6f64`]);
    expect(makesIncomplete("unread_xattr")).toBe(true);
  });

  test("beyond the limit of one object are left out and counted", () => {
    writeFileSync(join(source, "file"), "data");
    const names = Array.from({ length: 300 }, (_, index) => bytes(`user.${index}`));
    const faulty = withXattrFaults({
      list: (subject) => typeof subject === "number" ? names : [],
      get: () => new Uint8Array(65_536),
    });
    const said: string[] = [];
    const made = produce({ log: [], onWarning: ({ message }) => void said.push(message) }, faulty);
    const total = names.reduce((sum, name) => sum + name.length + 65_536, 0);
    expect(said).toEqual([`not stored: ${total} bytes in all, need at most 16777216`]);
    const kept: string[] = [];
    const counting = withXattrFaults({ set: (_, name) => void kept.push(textOf(name)) });
    restoreAll(made, restorer({ files: counting }));
    expect(kept.length).toBe(255);
  });
});
