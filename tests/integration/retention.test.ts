// Retention between real processes: the rules of the configuration, pins, the plan and what becomes
// of it, beside a server that is killed; and what daemons do by themselves after they were down.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { BackupView } from "../../agent/control/daemon.ts";
import type { ScheduleView } from "../../agent/control/schedule_view.ts";
import { newRecord } from "../../agent/schedule/schedule_policy.ts";
import { decodeRecords, encodeRecords } from "../../agent/schedule/schedule_record.ts";
import { Bed } from "./bed.ts";
import { until } from "./deadline.ts";
import { differences, makeRandomFiles } from "./odd_tree.ts";
import { makeDatabase } from "./sqlite_writer.ts";

const TIMEOUT_MS = 180_000;

/** Since then a schedule of each 1 January had two turns. */
const LONG_AGO_MS = Date.UTC(new Date().getUTCFullYear() - 2, 11, 31);
/** What the client's schedules did last. */
const STATE = "web01.schedules.json";

describe("retention", () => {
  let bed: Bed;
  let tree: string;
  const made: string[] = [];

  beforeAll(async () => {
    bed = await Bed.make({ moreClients: "retention: { keep_last: 2 }\n" });
    await Promise.all([bed.start("server"), bed.start("client")]);
    tree = bed.path("tree");
    await makeRandomFiles(tree, { count: 2, bytes: 50_000 });
    for (const full of [true, false, true, false]) {
      appendFileSync(`${tree}/log`, "one more line\n");
      const level = full ? ["--full"] : [];
      const made1 = await bed.job(
        "server",
        "backup",
        "filesystem",
        "--client",
        "web01",
        ...level,
        tree,
      );
      made.push(made1.backup ?? "");
    }
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  const listed = async () => {
    const { lines } = await bed.json("server", "backups");
    return (lines as unknown[] as BackupView[]).map((one) =>
      `${made.indexOf(one.backup)}${one.pinned ? " pinned" : ""}`
    );
  };

  test("pin keeps a backup, is shown, and survives a kill of the server", async () => {
    const pinned = await bed.json("server", "pin", made[1] ?? "");
    expect([pinned.code, pinned.lines[0]?.["pinned"]]).toEqual([0, true]);
    await bed.stop("server", "SIGKILL");
    await bed.start("server");
    expect(await listed()).toEqual(["0", "1 pinned", "2", "3"]);
    expect((await bed.json("server", "pin", "nothing")).code).toBe(10);
    expect((await bed.json("client", "pin", made[1] ?? "")).code).toBe(2);
    expect((await bed.json("client", "expire")).code).toBe(2);
  }, TIMEOUT_MS);

  test("expire --dry-run says what expire does, which does it", async () => {
    const planned = await bed.json("server", "expire", "--dry-run");
    expect(planned.code).toBe(0);
    expect(planned.lines.map(({ action, why }) => [action, why])).toEqual([
      ["expire", ["no rule keeps it", `data needed by ${made[1]}`]],
      ["keep", ["pinned"]],
      ["keep", ["last 2"]],
      ["keep", ["last 2", "newest", "newest complete"]],
      [undefined, undefined],
    ]);
    expect(planned.summary).toMatchObject({ type: "summary", status: "ok", backup: null });
    expect(Object.keys(planned.summary ?? {}).length).toBe(10);
    expect(await listed()).toEqual(["0", "1 pinned", "2", "3"]);
    const done = await bed.json("server", "expire");
    expect(done.lines.slice(0, -1)).toEqual(planned.lines.slice(0, -1));
    expect(await listed()).toEqual(["1 pinned", "2", "3"]);
    expect(existsSync(bed.path("vault", "media", `${made[0]}.tar.zst`))).toBe(true);
    const target = bed.path("restored");
    await bed.job("server", "restore", made[3] ?? "", "--target", target);
    expect(await differences(tree, `${target}${tree}`)).toEqual([]);
    expect((await bed.json("server", "verify", "--data")).code).toBe(0);
  }, TIMEOUT_MS);

  test("catalog rebuild brings nothing back; without the pin the rest goes", async () => {
    expect((await bed.json("server", "catalog", "rebuild")).code).toBe(0);
    expect(await listed()).toEqual(["1 pinned", "2", "3"]);
    expect((await bed.json("server", "pin", made[1] ?? "", "--remove")).code).toBe(0);
    const done = await bed.run(["expire"], "server");
    expect(done.code).toBe(0);
    expect(done.stdout).toContain("1 backup of 4 expire");
    expect(await listed()).toEqual(["2", "3"]);
    expect(readdirSync(bed.path("vault", "media")).sort())
      .toEqual([`${made[2]}.tar.zst`, `${made[3]}.tar.zst`].sort());
  }, TIMEOUT_MS);

  test(
    "schedules that were missed while the daemons were down run late, and are told",
    async () => {
      const before = (await bed.json("server", "backups")).lines.length;
      makeDatabase(bed.path("app.db"), 1);
      const yearly = 'cron: "@yearly"';
      const nightly = `nightly: { ${yearly}, client: web01, paths: [${tree}] }`;
      const drills = `drills: { ${yearly}, kind: drill, sample: all }`;
      const server = ["nightly", "drills"];
      const files = [
        ["server", `schedules: { ${nightly}, ${drills} }`, "vault/schedules.json", server],
        ["client", `state: .\nschedules: { app: { ${yearly}, database: app } }`, STATE, ["app"]],
      ] as const;
      // One after the other: the late run of a daemon needs the other one.
      for (const [side, keys, file, schedules] of files) {
        await bed.stop(side);
        appendFileSync(bed.path(`${side}.yaml`), `${keys}\n`);
        const record = { ...newRecord("@yearly UTC", 0), settledMs: LONG_AGO_MS };
        writeFileSync(
          bed.path(file),
          encodeRecords(new Map(schedules.map((name) => [name, record]))),
        );
        await bed.start(side);
        const shown = await until(TIMEOUT_MS, `the runs of ${schedules.join()}`, async () => {
          const found = await bed.get<ScheduleView[]>(side, "/v1/schedules");
          return found.every(({ runs }) => runs === 1) ? found : null;
        });
        expect(shown).toMatchObject(schedules.map((schedule) => ({
          schedule,
          lastOutcome: "ok",
          missed: 2,
          skipped: 0,
          job: null,
        })));
        expect((await bed.json(side, "schedules")).lines)
          .toMatchObject(schedules.map((schedule) => ({ schedule, runs: 1 })));
      }
      const backups = (await bed.json("server", "backups")).lines;
      expect(backups.length).toBe(before + 2);
      const drilled = backups.flatMap((one) => one["drilled"] === null ? [] : [one["drilled"]]);
      expect(drilled).toMatchObject([{ status: "ok" }]);
      const { clients } = await bed.status("server");
      expect(clients.map(({ client, kind, lastSuccessAgeSeconds }) => {
        return [client, kind, (lastSuccessAgeSeconds ?? Infinity) < 600];
      })).toEqual([["web01", "filesystem", true], ["web01", "sqlite", true]]);
      const { stderr } = await bed.stop("server");
      expect(stderr).toContain('schedule "nightly": missed 2 runs');
    },
    TIMEOUT_MS,
  );

  test("a scheduled verification that finds damage has looked at its part", async () => {
    const [medium = ""] = readdirSync(bed.path("vault", "media"));
    writeFileSync(bed.path("vault", "media", medium), "no medium");
    const checks = 'checks: { cron: "@yearly", kind: verify, parts: 3 }';
    const config = readFileSync(bed.path("server.yaml"), "utf8");
    const line = `schedules: { ${checks} }`;
    writeFileSync(bed.path("server.yaml"), config.replace(/^schedules:.*$/m, line));
    const record = { ...newRecord("@yearly UTC", 0), settledMs: LONG_AGO_MS };
    const file = bed.path("vault/schedules.json");
    writeFileSync(file, encodeRecords(new Map([["checks", record]])));
    await bed.start("server");
    const shown = await until(TIMEOUT_MS, "the verification", async () => {
      const [found] = await bed.get<ScheduleView[]>("server", "/v1/schedules");
      return found?.runs === 1 ? found : null;
    });
    expect(shown).toMatchObject({ lastOutcome: "failed", failed: 1 });
    expect(shown.lastError).toContain("Cannot vouch for backup");
    await bed.stop("server");
    expect(decodeRecords(readFileSync(file))?.get("checks")?.looked).toBe(1);
  }, TIMEOUT_MS);
});
