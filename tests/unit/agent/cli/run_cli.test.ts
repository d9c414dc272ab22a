// The commands, end to end against a fake daemon on a real socket: arguments, requests, output
// for people and machines, exit codes, signals, lost connections.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Drill, RestoreItemView } from "../../../../agent/control/mod.ts";
import { progressOf } from "../control/fake_daemon.ts";
import { CliBed } from "./cli_bed.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";

let bed: CliBed;

beforeEach(async () => {
  bed = await CliBed.open();
});

afterEach(() => bed.close());

/** [arguments, exit code, part of standard error] */
const USAGE: readonly (readonly [string, number, string])[] = [
  ["backpus", 2, 'Did you mean "agent backups"?'],
  ["backup", 2, "Use one of: agent backup filesystem, agent backup database"],
  ["backup filsystem /x", 2, 'Did you mean "agent backup filesystem"?'],
  ["backup frob", 2, "Use one of: agent backup filesystem, agent backup database"],
  ["frob", 2, "Run: agent --help"],
  ["backup filesystem /x", 2, "need --client C"],
  ["backup filesystem --client web01", 2, "found too few arguments, need PATH"],
  ["backup filesystem --client web01 --ful /x", 2, 'Did you mean "--full"?'],
  ["backup filesystem --client --full /x", 2, "found no value, need C"],
  ["backup filesystem --client a --client b /x", 2, "found it twice"],
  ["backup filesystem --client a --full=1 /x", 2, 'found the value "1", need no value'],
  ["backup filesystem -c a /x", 2, 'Cannot use option "-c"'],
  ["backups extra", 2, 'one more argument "extra"'],
  ["restore latest", 2, "found no --target"],
  ["restore latest --target d --overwrite alway", 2, 'Did you mean "always"?'],
  ["restore latest --database app --include x", 2, "Cannot use option --include"],
  ["restore latest --target d --to-time now", 2, "found files, need --database"],
  ["restore latest --database app --dry-run", 2, "Cannot use option --dry-run"],
  ["verify --subset 3/2", 2, "need N/M with N from 1 to M"],
  ["drill b1 --client web01", 2, "Leave out --client"],
  ["drill --all --sample 5", 2, "need one of them"],
  ["drill --sample 0", 2, "Write --sample 500"],
  ["drill --sample 101%", 2, "--sample 5% for a share"],
  ["drill --seed -1", 2, "--seed"],
  ["drill --seed 4294967296", 2, "need a whole number to 4294967295"],
  ["find /none/here", 1, "no backup has it"],
  ["diff latest", 2, "found too few arguments, need B2"],
  ["validate nobody", 10, 'Cannot find client "nobody"'],
  ["--role sever", 2, 'Did you mean "server"?'],
  ["--config x", 2, "--role"],
  ["array create a --volumes 0 --size 1M", 2, "a whole number from 1 to 256"],
  ["array create a --volumes 1 --size big", 2, "a size such as 64MiB"],
  ["status --control tcp:1", 2, "need unix:PATH or http://HOST:PORT"],
  ["status --control unix:none.sock", 15, "Start it with: agent --role server"],
  ["config check none.yaml", 2, "found no such file"],
  ["show zz", 10, "See backups."],
  ["job zz", 10, "Cannot find job"],
  ["backup filesystem --client nobody /x", 10, "See clients."],
];

describe("runCli() refuses", () => {
  for (const [line, code, text] of USAGE) {
    test(`agent ${line}`, async () => {
      const ran = await bed.run(...line.split(" "));
      expect(ran.stderr).toContain(text);
      expect([ran.code, ran.stdout]).toEqual([code, ""]);
      const json = await bed.run(...line.split(" "), "--json");
      if (json.stderr.startsWith("{")) expect(JSON.parse(json.stderr).type).toBe("error");
    });
  }

  test("with one JSON line on standard error when --json is given", async () => {
    const { code, stderr } = await bed.run("show", "zz", "--json");
    expect(code).toBe(10);
    expect(JSON.parse(stderr)).toEqual({
      type: "error",
      code: "not_found",
      message: 'Cannot find backup "zz"',
      hint: "See backups.",
    });
  });
});

describe("runCli() starts jobs", () => {
  test("backup filesystem sends absolute paths and ends in the summary", async () => {
    const ran = await bed.run(
      ..."backup filesystem --client web01 --exclude /a/* --exclude /b /x/../y rel --json".split(
        " ",
      ),
    );
    expect(ran.code).toBe(0);
    expect(bed.daemon.requests).toEqual([{
      kind: "backup-filesystem",
      client: "web01",
      paths: ["/y", join(bed.directory, "rel")],
      full: false,
      ...EVERYTHING,
      exclude: ["/a/*", "/b"],
    }]);
    const last = JSON.parse(ran.stdout.trimEnd().split("\n").at(-1) ?? "");
    expect(Object.keys(last)).toEqual([
      "type",
      "job",
      "backup",
      "status",
      "files",
      "bytes",
      "seconds",
      "channels",
      "fallback",
    ]);
    expect(bed.listeners).toBe(0);
  });

  test("backup filesystem sends all that is to be left out, files of patterns first", async () => {
    writeFileSync(join(bed.directory, "rules"), "# all\n*.tmp\n\n!x.tmp \n");
    writeFileSync(join(bed.directory, "bytes"), Uint8Array.of(0x61, 0xff));
    const options = "--exclude *.o --exclude-file rules --exclude-caches --one-file-system " +
      "--exclude-larger-than 100M --ignore-file .agentignore";
    const ran = await bed.run(
      ..."backup filesystem --client web01 /srv".split(" "),
      ...options.split(" "),
    );
    expect(ran.code).toBe(0);
    expect(bed.daemon.requests).toMatchObject([{
      exclude: ["*.tmp", "!x.tmp", "*.o"],
      excludeCaches: true,
      oneFileSystem: true,
      excludeLargerThan: 100 * 1024 * 1024,
      ignoreFile: ".agentignore",
    }]);
    for (const file of ["none", "bytes"]) {
      const refused = await bed.run(
        ..."backup filesystem --client web01 /srv --exclude-file".split(" "),
        file,
      );
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(file)]);
    }
  });

  test("restore makes the target absolute and verify passes its names on", async () => {
    await bed.run("restore", "latest:web01", "--target", "out", "--include", "/a", "--client", "c");
    await bed.run("restore", "latest:app", "--database", "app");
    await bed.run("verify", "b1", "b2", "--data");
    expect(bed.daemon.requests).toEqual([
      {
        kind: "restore-filesystem",
        backup: "latest:web01",
        target: join(bed.directory, "out"),
        client: "c",
        include: ["/a"],
        overwrite: "refuse",
        dryRun: false,
      },
      {
        kind: "restore-database",
        backup: "latest:app",
        database: "app",
        target: null,
        tablespaces: [],
        recovery: null,
      },
      { kind: "verify", backups: ["b1", "b2"], data: true, subset: null },
    ]);
  });

  test("a dry run prints what becomes of each object, and the sums of it", async () => {
    const made = { action: "make", path: "/srv/a", pathBase64: null, kind: "file", bytes: 2048 };
    const left = { action: "leave", path: "/srv/\x1bd", pathBase64: null, kind: "directory" };
    const none = { files: 0, bytes: 0 };
    bed.daemon.script = (daemon, job) => {
      const items = [{ type: "item", ...made }, { type: "item", ...left, bytes: 0 }];
      daemon.emit(job, { type: "restore", job, items: items as RestoreItemView[] });
      const make = { files: 1, bytes: 2048 };
      const leave = { files: 1, bytes: 0 };
      const verdicts = { make, replace: none, attributes: none, leave, blocked: none };
      daemon.end(job, "ok", { verdicts });
    };
    const how = ["restore", "latest", "--target", "/", "--overwrite", "changed", "--dry-run"];
    const ran = await bed.run(...how);
    const lines = ran.stdout.trimEnd().split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "make          2.00 KiB  /srv/a",
      "leave        directory  /srv/\\x1bd",
    ]);
    expect(lines.slice(-2)).toEqual([
      "  make        1 file, 2.00 KiB",
      "  leave       1 file, 0 B",
    ]);
    const json = (await bed.run(...how, "--json")).stdout.trimEnd().split("\n");
    expect(json.map((line) => JSON.parse(line).type)).toEqual(["item", "item", "summary"]);
    expect(JSON.parse(json[0] ?? "")).toEqual({ type: "item", ...made });
    expect(bed.daemon.requests.at(-1)).toMatchObject({ overwrite: "changed", dryRun: true });
  });

  test("drill asks for a sample or all, and shows what it came to", async () => {
    const drill: Drill = {
      time: "2026-01-01T00:00:00.000Z",
      status: "ok",
      entries: 2,
      of: 3,
      bytes: 2048,
      differences: 0,
      unproved: 1,
      undecrypted: false,
      seed: 7,
    };
    bed.daemon.script = (daemon, job) => daemon.end(job, "ok", { drill });
    const ran = await bed.run("drill");
    expect(ran.stdout).toContain("  drilled  2 of 3 entries, 2.00 KiB, 1 not wholly proved");
    expect(ran.stdout).toContain("seed 7\n");
    bed.daemon.script = (daemon, job) =>
      daemon.end(job, "ok", { drill: { ...drill, undecrypted: true } });
    expect((await bed.run("drill")).stdout).toContain("content was not decrypted, seed 7\n");
    bed.daemon.requests.splice(1);
    await bed.run("drill", "--client", "web01", "--sample", "2.5%", "--seed", "7");
    await bed.run("drill", "b1", "--all", "--scratch", "s");
    await bed.run("drill", "b1", "--all", "--identity", "key");
    const common = { kind: "drill", seed: null, scratch: null, identityFile: null } as const;
    expect(bed.daemon.requests).toEqual([
      { ...common, backup: "latest", sample: { entries: 1000 } },
      { ...common, backup: "latest:web01", sample: { percent: 2.5 }, seed: 7 },
      { ...common, backup: "b1", sample: null, scratch: join(bed.directory, "s") },
      { ...common, backup: "b1", sample: null, identityFile: join(bed.directory, "key") },
    ]);
  });

  test("expire prints its plan as a table, or an item a line, before the summary", async () => {
    const item = {
      type: "item",
      client: "web01",
      kind: "filesystem",
      database: null,
      time: "2026-01-01T00:00:00.000Z",
      status: "ok",
    } as const;
    bed.daemon.script = (daemon, job) => {
      const first = { ...item, backup: "b1", frees: 2048, holds: 0 };
      const second = { ...item, backup: "b2", frees: 0, holds: 0 };
      const gone = { ...first, action: "expire", why: ["no rule keeps it"] } as const;
      const kept = { ...second, action: "keep", why: ["last 1", "newest"] } as const;
      daemon.emit(job, { type: "expiry", job, items: [gone] });
      daemon.emit(job, { type: "expiry", job, items: [kept] });
      daemon.end(job, "ok");
    };
    const ran = await bed.run("expire", "--dry-run");
    expect(ran.stdout.split("\n").slice(0, 4)).toEqual([
      "BACKUP  CLIENT  TIME                      ACTION     FREES  HOLDS  WHY",
      "b1      web01   2026-01-01T00:00:00.000Z  expire  2.00 KiB         no rule keeps it",
      "b2      web01   2026-01-01T00:00:00.000Z  keep                     last 1, newest",
      "1 backup of 2 expire, 2.00 KiB freed",
    ]);
    const json = await bed.run("expire", "--json");
    const lines = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines.map(({ type, backup }) => [type, backup])).toEqual([
      ["item", "b1"],
      ["item", "b2"],
      ["summary", "20260101-000000-ab"],
    ]);
    expect(bed.daemon.requests.slice(-2)).toEqual([
      { kind: "expire", dryRun: true },
      { kind: "expire", dryRun: false },
    ]);
  });

  test("pin and pin --remove show the backup", async () => {
    const pinned = await bed.run("pin", "latest", "--json");
    expect([pinned.code, JSON.parse(pinned.stdout).pinned]).toEqual([0, true]);
    const free = await bed.run("pin", "latest", "--remove");
    expect(free.stdout).toMatch(/^pinned: +no$/m);
  });

  test("exit 3 when incomplete, and the warning is shown", async () => {
    bed.daemon.script = (daemon, job) => {
      const warning = { code: "unreadable", message: "EACCES", path: "/srv/\x1b[2Ja" };
      daemon.emit(job, { type: "warning", job, ...warning });
      daemon.end(job, "incomplete");
    };
    const ran = await bed.run("backup", "database", "app");
    expect(ran.code).toBe(3);
    expect(ran.stderr).toBe("warning: /srv/\\x1b[2Ja: EACCES\n");
    expect(ran.stdout).toContain("storage    9.67 KiB   99.00 %");
  });

  const failures = [["damaged", 13], ["no_space", 14], ["internal", 70], ["failed", 1]] as const;
  for (const [code, exit] of failures) {
    test(`exit ${exit} when the job fails as ${code}; the error is shown once`, async () => {
      bed.daemon.script = (daemon, job) => daemon.fail(job, { code, message: "bad", hint: "do" });
      const ran = await bed.run("verify", "--json");
      expect(ran.code).toBe(exit);
      expect(ran.stderr.trimEnd().split("\n").map((line) => JSON.parse(line))).toEqual([
        { type: "error", job: "j1", code, message: "bad", hint: "do" },
      ]);
      expect(JSON.parse(ran.stdout).status).toBe("failed");
    });
  }

  test("a lost event stream is resumed without repeating events", async () => {
    bed.daemon.script = (daemon, job) => {
      for (const bytes of [1, 2, 3]) daemon.emit(job, progressOf(job, bytes));
      daemon.end(job, "ok");
    };
    bed.daemon.cutAfter = 2;
    const ran = await bed.run("backup", "database", "app", "--json");
    expect(ran.code).toBe(0);
    const lines = ran.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines.map((line) => line.bytes)).toEqual([1, 2, 3, 4096]);
  });

  for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    test(`${signal} cancels the job, waits for its end and gives ${exit}`, async () => {
      bed.daemon.script = (daemon, job) => {
        daemon.emit(job, progressOf(job, 1));
        queueMicrotask(() => bed.signal(signal));
      };
      const ran = await bed.run("backup", "database", "app");
      expect([ran.code, bed.daemon.cancelled]).toEqual([exit, ["j1"]]);
      expect(ran.stderr).toContain("cancelling job j1");
      expect(bed.listeners).toBe(0);
    });
  }

  test("a bar is drawn on a terminal and cleared before the summary", async () => {
    bed.terminal = true;
    bed.daemon.script = (daemon, job) => {
      daemon.emit(job, progressOf(job, 2048));
      daemon.end(job, "ok");
    };
    const ran = await bed.run("backup", "database", "app");
    expect(ran.stderr).toBe(
      "\rreading   ▕████████████            ▏  50 %  1 file  2.00 KiB  1.00 KiB/s  2.0 s left" +
        "\x1b[K\r\x1b[K",
    );
  });
});

describe("runCli() reads", () => {
  test("backups, show, ls, status, jobs, job, cancel as text and JSON lines", async () => {
    await bed.run("backup", "database", "app");
    const more = ["status", "schedules", "jobs", "job j1"];
    for (const line of ["backups", "show latest", "ls latest /srv", ...more]) {
      const text = await bed.run(...line.split(" "));
      expect([line, text.code, text.stderr]).toEqual([line, 0, ""]);
      const json = await bed.run(...line.split(" "), "--json");
      const lines = json.stdout.trimEnd().split("\n");
      expect(lines.every((one) => typeof JSON.parse(one) === "object")).toBe(true);
    }
    expect((await bed.run("cancel", "j1")).code).toBe(0);
    expect((await bed.run("ls", "latest")).stdout).toContain("/srv/a\\x1b[31m");
  });

  test("job --follow prints the events and gives the job's exit code", async () => {
    bed.daemon.script = (daemon, job) => daemon.end(job, "incomplete");
    await bed.run("backup", "database", "app");
    const ran = await bed.run("job", "j1", "--follow");
    expect(ran.code).toBe(3);
    expect(ran.stdout).toContain("incomplete: backup 20260101-000000-ab, 3 files");
  });
});
