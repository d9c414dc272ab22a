// A base backup as the server sends it, made by hand: into frames, and back into directories.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { BaseBackupRestorer, produceBaseBackup } from "../../../../../agent/application/mod.ts";
import type { Entry } from "../../../../../agent/entry.ts";
import { PostgresConnection, type Row } from "../../../../../agent/postgresql/mod.ts";
import { encodeMemberHeader, paddingBytes } from "../../../../../agent/tar/mod.ts";
import { AT_CWD } from "../../../../../transport/runtime/files.ts";
import { message, report, ScriptedSocket } from "../../postgresql/scripted_socket.ts";
import { collect, files, makeFolder, removeFolder, restoreAll, textOf } from "../fixture.ts";

const encoder = new TextEncoder();
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

let folder = "";

beforeEach(() => {
  folder = makeFolder();
  for (const name of ["data", "space"]) mkdirSync(join(folder, name));
});

afterEach(() => removeFolder(folder));

const file: Entry = {
  path: new Uint8Array(0),
  type: "file",
  mode: 0o600,
  ...owner,
  sizeBytes: 0,
  mtimeNs: 1_700_000_000_000_000_000n,
  ctimeNs: 0n,
  inode: 0n,
  target: null,
  rdev: null,
};

/** What an archive has: directories end in "/", links have a target. */
type Content = Readonly<Record<string, string | { readonly link: string }>>;

function memberOf(name: string, content: Content[string]): readonly Uint8Array[] {
  const path = encoder.encode(name.replace(/\/$/, ""));
  if (typeof content !== "string") {
    const target = encoder.encode(content.link);
    return [encodeMemberHeader({ ...file, path, type: "symlink", target })];
  }
  if (name.endsWith("/")) {
    return [encodeMemberHeader({ ...file, path, type: "directory", mode: 0o700 })];
  }
  const bytes = encoder.encode(content);
  const header = encodeMemberHeader({ ...file, path, sizeBytes: bytes.length });
  return [header, bytes, new Uint8Array(paddingBytes(bytes.length))];
}

/** The messages of an archive: its beginning and its bytes, in pieces. */
function archive(location: string, content: Content, pieceBytes = 700): Uint8Array[] {
  const tar = Buffer.concat([
    ...Object.entries(content).flatMap(([name, what]) => memberOf(name, what)),
    new Uint8Array(1024),
  ]);
  const messages = [message("d", `nbase.tar\0${location}\0`)];
  for (let at = 0; at < tar.length; at += pieceBytes) {
    messages.push(
      message("d", Buffer.concat([encoder.encode("d"), tar.subarray(at, at + pieceBytes)])),
    );
  }
  return messages;
}

const SPACE: Content = { "/PG_15_1/": "", "/PG_15_1/5": "in the tablespace" };
const DATA: Content = {
  "/base/": "",
  "/base/1": "x".repeat(20_000),
  "/pg_tblspc/": "",
  "/global/": "",
  "/global/pg_control": "control",
  "/pg_wal/": "",
  "/pg_wal/000000010000000000000001": "log",
};
const BEGIN = message("H", "\0\0\0");
const END = [
  message("d", "m"),
  message("d", 'd{"manifest"'),
  message("d", "d: 1}"),
  message("c", ""),
  message("D", "\0\x02\0\0\0\x090/2000138\0\0\0\x011"),
];
const DONE = message("Z", "I");

/** A whole cluster: a tablespace and the data directory with the link to it. */
function cluster(): Uint8Array[] {
  const link = { "/pg_tblspc/16384": { link: join(folder, "space") } };
  return [
    BEGIN,
    ...archive(join(folder, "space"), SPACE),
    message("d", "p\0\0\0\0\0\0\0\0"),
    ...archive("", { ...DATA, ...link }),
    ...END,
    DONE,
  ];
}

function produce(
  messages: readonly Uint8Array[],
  options: { frameBytes?: number; pieceBytes?: () => number } = {},
) {
  const socket = new ScriptedSocket(messages, options.pieceBytes);
  const ends: Row[] = [];
  const produced = collect(produceBaseBackup({
    connection: new PostgresConnection({ socket, path: "/s", onNotice: () => {} }),
    data: join(folder, "data"),
    statDirectory: (path) => files.stat(AT_CWD, path),
    wallMs: () => 1_700_000_000_000,
    frameBytes: options.frameBytes,
    onEnd: (row) => ends.push(row),
  }));
  return { ...produced, socket, ends };
}

function restorer(
  places: Readonly<Record<string, string>> = {},
  recovery: string | null = null,
): BaseBackupRestorer {
  return new BaseBackupRestorer({
    files,
    data: join(folder, "back"),
    tablespaces: new Map(Object.entries(places)),
    owner,
    requireAllowed: () => {},
    recovery,
    onWarning: ({ message }) => {
      throw new Error(message);
    },
  });
}

describe("produceBaseBackup()", () => {
  test("makes one stream of the cluster's own paths, whatever the pieces and frames are", () => {
    const data = join(folder, "data");
    const space = join(folder, "space");
    const pieces = fc.infiniteStream(fc.nat({ max: 5000 }));
    fc.assert(
      fc.property(fc.integer({ min: 8192, max: 40_000 }), pieces, (frameBytes, sizes) => {
        const { rows, bytes, socket, ends } = produce(cluster(), {
          frameBytes,
          pieceBytes: () => sizes.next().value ?? 1,
        });
        expect(rows.map(({ entry }) => textOf(entry.path))).toEqual([
          data,
          space,
          ...Object.keys(SPACE).map((name) => space + name.replace(/\/$/, "")),
          ...Object.keys(DATA).map((name) => data + name.replace(/\/$/, "")),
          `${data}/pg_tblspc/16384`,
          `${data}/backup_manifest`,
        ]);
        expect(bytes).toBe(17 + 20_000 + 7 + 3 + 15);
        expect(socket.isClosed).toBe(true);
        expect(ends).toEqual([["0/2000138", "1"]]);
      }),
      { numRuns: 30 },
    );
  });

  test("is an error when the server reports one, hangs up, or leaves the manifest out", () => {
    const whole = cluster();
    const late = message(
      "E",
      report({ S: "ERROR", C: "XX001", M: "checksum verification failure" }),
    );
    expect(() => produce([...whole.slice(0, -1), late])).toThrow("checksum verification failure");
    expect(() => produce(whole.slice(0, -1))).toThrow("hung up");
    expect(() => produce([BEGIN, ...archive("", DATA), message("c", ""), DONE])).toThrow(
      "no manifest",
    );
    expect(() => produce([BEGIN, ...archive("", DATA), DONE])).toThrow(
      'the end in phase "archives"',
    );
    const cut = archive("", DATA).slice(0, -3);
    expect(() => produce([BEGIN, ...cut, ...END, DONE])).toThrow("inside a member");
    expect(() => produce([BEGIN, message("d", "y"), DONE])).toThrow('"y" in phase');
  });
});

describe("BaseBackupRestorer", () => {
  test("writes the data directory and a tablespace that moves, and links to it", () => {
    const to = join(folder, "moved");
    restoreAll(produce(cluster(), { frameBytes: 9000 }), restorer({ [join(folder, "space")]: to }));
    expect(readFileSync(join(folder, "back/base/1"), "utf8")).toBe("x".repeat(20_000));
    expect(readFileSync(join(folder, "back/backup_manifest"), "utf8")).toBe('{"manifest": 1}');
    expect(readlinkSync(join(folder, "back/pg_tblspc/16384"))).toBe(to);
    expect(readFileSync(join(to, "PG_15_1/5"), "utf8")).toBe("in the tablespace");
    expect(statSync(join(folder, "back/global")).mode & 0o7777).toBe(0o700);
    expect(readFileSync(join(folder, "back/global/pg_control"), "utf8")).toBe("control");
  });

  test("moves a tablespace inside the data directory with it, or to a place of its own", () => {
    const space = join(folder, "data/ts1");
    mkdirSync(space);
    const link = { "/pg_tblspc/16384": { link: space } };
    const inside = [
      BEGIN,
      ...archive(space, SPACE),
      ...archive("", { ...DATA, "/ts1/": "", ...link }),
      ...END,
      DONE,
    ];
    const own = join(folder, "moved");
    const back = join(folder, "back");
    for (const [places, to] of [[{}, join(back, "ts1")], [{ [space]: own }, own]] as const) {
      restoreAll(produce(inside), restorer(places));
      expect(readlinkSync(join(back, "pg_tblspc/16384"))).toBe(to);
      expect(readFileSync(join(to, "PG_15_1/5"), "utf8")).toBe("in the tablespace");
      removeFolder(back);
    }
  });

  test("brings a standby back as a server of its own, and one that recovers by its log", () => {
    const settings = {
      "/postgresql.auto.conf": "primary_conninfo = 'host=old'\nwork_mem = '8MB'\n",
    };
    const standby = { ...DATA, "/standby.signal": "", "/recovery.signal": "kept", ...settings };
    const whole = [BEGIN, ...archive("", standby), ...END, DONE];
    const back = (name: string) => join(folder, "back", name);
    for (const recovery of [null, "restore_command = 'get'\n"]) {
      const { files: count } = restoreAll(produce(whole), restorer({}, recovery));
      expect(count).toBe(Object.keys(standby).length);
      expect(existsSync(back("standby.signal"))).toBe(false);
      expect(existsSync(back("recovery.signal"))).toBe(recovery !== null);
      if (recovery !== null) {
        expect(readFileSync(back("recovery.signal"), "utf8")).toBe("");
        expect(readFileSync(back("postgresql.auto.conf"), "utf8"))
          .toBe(`work_mem = '8MB'\n${recovery}`);
      }
      removeFolder(back(""));
    }
  });

  test("gives the control file its name last: not before all the rest, nor after an abort", () => {
    const control = join(folder, "back/global/pg_control");
    const { records } = produce(cluster(), { frameBytes: 8192 });
    const consumer = restorer({ [join(folder, "space")]: join(folder, "moved") });
    const finish = consumer.finish.bind(consumer);
    consumer.finish = () => {
      expect(existsSync(join(folder, "back/backup_manifest"))).toBe(true);
      expect(existsSync(control)).toBe(false);
      consumer.abort();
      return { files: 0, bytes: 0 };
    };
    restoreAll({ records, rows: [], files: 0, bytes: 0 }, consumer);
    expect(existsSync(control)).toBe(false);
    expect(files.list(openFolder("back/global")).length).toBe(0);
    expect(finish).toThrow("no control file");
  });

  test("does not finish when a tablespace was to move that the backup does not have", () => {
    const consumer = restorer({ "/nowhere": join(folder, "moved") });
    expect(() => restoreAll(produce(cluster()), consumer)).toThrow(`found ${folder}/space in`);
    consumer.abort();
    expect(existsSync(join(folder, "back/global/pg_control"))).toBe(false);
  });

  test("refuses places that are not empty, and leaves them as they are", () => {
    mkdirSync(join(folder, "back"));
    writeFileSync(join(folder, "back/postmaster.pid"), "1");
    expect(() => restorer()).toThrow("a cluster that a server may use");
    removeFolder(join(folder, "back"));
    writeFileSync(join(folder, "space/mine"), "");
    const consumer = restorer();
    expect(() => restoreAll(produce(cluster()), consumer)).toThrow("found files in it");
    consumer.abort();
    expect(files.list(openFolder("space")).length).toBe(1);
  });

  test("refuses what no cluster has: links elsewhere, files outside, nothing at all", () => {
    const hostile: readonly [Content, string][] = [
      [{ "/base": { link: "/etc" } }, 'a link at "base"'],
      [{ "/pg_tblspc/": "", "/pg_tblspc/1": { link: folder }, "/pg_tblspc/1/x": "y" }, "ENOTDIR"],
      [{ "/pg_tblspc/": "", "/pg_tblspc/1": { link: folder }, "/pg_tblspc/1/d/x": "y" }, "ENOTDIR"],
      [{ "/base/": "" }, "no control file"],
    ];
    for (const [content, found] of hostile) {
      const consumer = restorer();
      const produced = produce([BEGIN, ...archive("", content), ...END, DONE]);
      expect(() => restoreAll(produced, consumer)).toThrow(found);
      consumer.abort();
      removeFolder(join(folder, "back"));
    }
    expect(existsSync(join(folder, "x"))).toBe(false);
  });
});

function openFolder(name: string): number {
  return files.open(AT_CWD, join(folder, name), { access: "read", directory: true });
}
