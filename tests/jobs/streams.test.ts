// Databases of several streams through both sides of a job: each has an STP connection of its own,
// one medium holds them, and no stream of a restore waits for another one.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { DatabaseEntry } from "../../agent/config/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { DatabaseBed } from "./database_bed.ts";
import type { JobOutcome } from "./job_bed.ts";

const LIMIT_MS = 60_000;
const MIB = 1024 * 1024;
const BACKUP = "web01-20260101T000000Z-aaaaaa";
const RESTORE = {
  type: "restore",
  backup: BACKUP,
  target: null,
  tablespaces: [],
  recovery: null,
} as const;

let bed: DatabaseBed;

beforeEach(async () => {
  bed = await DatabaseBed.open();
});

afterEach(async () => {
  expect(readdirSync(bed.folder).filter((name) => name.endsWith(".pipes"))).toEqual([]);
  await bed[Symbol.asyncDispose]();
});

type Commands = Extract<DatabaseEntry, { kind: "command" }>;

/** One program with a pipe for each stream; the scripts run in the bed's folder. */
function database(scripts: { backup?: string; restore?: string }, streams: number): Commands {
  const words = (script = "true") => ["sh", "-c", `cd ${bed.folder} && ${script}`];
  return {
    name: "erp",
    kind: "command",
    backup: words(scripts.backup),
    restore: words(scripts.restore),
    streams,
    pipes: { owner: null, openWithinMs: 20_000 },
  };
}

/** Files of different sizes that do not compress, named by their stream. */
function writeData(sizes: readonly number[]): void {
  for (const [index, bytes] of sizes.entries()) {
    const content = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 65536) {
      crypto.getRandomValues(content.subarray(at, Math.min(at + 65536, bytes)));
    }
    writeFileSync(bed.path(`data${index + 1}`), content);
  }
}

const each = (count: number, script: (number: number) => string) =>
  Array.from({ length: count }, (_, index) => script(index + 1)).join("\n");

const WRITING = (count: number) =>
  `{ ${each(count, (n) => `cat data${n} > {pipe${n}} &`)}\nwait; }`;

function expectSame(count: number): void {
  for (let n = 1; n <= count; n += 1) {
    const [got, sent] = [readFileSync(bed.path(`back${n}`)), readFileSync(bed.path(`data${n}`))];
    expect([n, got.equals(sent)]).toEqual([n, true]);
  }
}

function expectOk(outcomes: readonly JobOutcome[]): void {
  expect(outcomes.map(({ error, result }) => [error, result?.status]))
    .toEqual([[null, "ok"], [null, "ok"]]);
}

/** Accepted or connected storage connections in a side's steps. */
const storageCalls = (outcome: JobOutcome, call: string) =>
  outcome.steps.filter((step) => step.call.startsWith(call)).length;

describe("a database of several streams", () => {
  for (const channel of ["storage-only", "network-only"] as const) {
    test(`comes back over ${channel}, whichever stream its program reads first`, async () => {
      bed.channel = channel;
      // The first is larger than all that connections and windows hold.
      writeData([12 * MIB, 3 * MIB, 1, 5 * MIB]);
      const made = await bed.run(database({ backup: WRITING(4) }, 4), { type: "backup" });
      expectOk(made);
      const [server, client] = made;
      const connections = channel === "storage-only" ? 4 : 0;
      expect([storageCalls(server, "STPconnect"), storageCalls(client, "STPaccept")])
        .toEqual([connections, connections]);
      const bytes = channel === "storage-only" ? server.channels.storage : server.channels.network;
      expect(bytes).toBeGreaterThan(20 * MIB);
      expect(server.channels.storage).toBe(client.channels.storage);
      // The last one to its end before the first one is begun, and one that is slow.
      const reading = "cat {pipe4} > back4; cat {pipe3} > back3; " +
        "(sleep 0.2; cat {pipe1} > back1) & cat {pipe2} > back2; wait";
      expectOk(await bed.run(database({ restore: reading }, 4), RESTORE));
      expectSame(4);
    }, LIMIT_MS);
  }

  test("is one medium that stock tools restore stream by stream", async () => {
    writeData([2 * MIB, 3 * MIB]);
    expectOk(await bed.run(database({ backup: WRITING(2) }, 2), { type: "backup" }));
    const medium = bed.path("vault", "media", `${BACKUP}.tar.zst`);
    const label = readFileSync(medium).subarray(8, 4096).toString("latin1");
    const command = label.split("\n").find((line) => line.includes("erp/1 |"))?.trim() ?? "";
    for (const n of [1, 2]) {
      const line = command.replace("erp/1", `erp/${n}`).replace(
        "PROGRAM",
        `cat > ${bed.path(`back${n}`)}`,
      );
      const { status, stderr } = spawnSync("bash", ["-c", `set -o pipefail; ${line}`], {
        cwd: bed.path("vault", "media"),
      });
      expect([status, stderr.toString()]).toEqual([0, ""]);
    }
    expectSame(2);
  }, LIMIT_MS);

  test("publishes nothing when one of its programs fails, and says why on both sides", async () => {
    writeData([4 * MIB, 4 * MIB, 4 * MIB]);
    const failing = {
      ...database(
        { backup: "cat data{stream}; test {stream} != 2 || { echo torn >&2; exit 3; }" },
        3,
      ),
      pipes: null,
    };
    const outcomes = await bed.run(failing, { type: "backup" });
    for (const { error } of outcomes) expect(error?.message).toContain("ended with 3: torn");
    expect(bed.backups()).toEqual([]);
  }, LIMIT_MS);

  test("fails a restore when one of its programs does, and ends the others", async () => {
    writeData([4 * MIB, 4 * MIB]);
    expectOk(await bed.run(database({ backup: WRITING(2) }, 2), { type: "backup" }));
    const restore =
      "test {stream} = 1 && { head -c 9 >/dev/null; echo full >&2; exit 4; }; sleep 63";
    const failing = { ...database({ restore }, 2), pipes: null };
    const outcomes = await bed.run(failing, RESTORE);
    for (const { error } of outcomes) expect(error?.message).toContain("ended with 4: full");
    expect(spawnSync("pgrep", ["-f", "sleep 6[3]"]).stdout.toString()).toBe("");
  }, LIMIT_MS);

  test("is refused where another count of streams is configured", async () => {
    writeData([1, 1]);
    expectOk(await bed.run(database({ backup: WRITING(2) }, 2), { type: "backup" }));
    const [, client] = await bed.run(database({ restore: "cat {pipe1} > back1" }, 1), RESTORE);
    expect(client.error?.message).toContain("it holds 2 streams, need 1");
    expect(existsSync(bed.path("back1"))).toBe(false);
  }, LIMIT_MS);

  test("ends on both sides when it is cancelled on one of them", async () => {
    writeData([MIB]);
    const endless = database({
      backup: "{ cat data1 > {pipe1}; touch begun; cat /dev/zero > {pipe2}; }",
    }, 2);
    for (const end of [() => bed.cancel("client"), () => bed.cancel("server")]) {
      const running = bed.run(endless, { type: "backup" });
      while (!existsSync(bed.path("begun"))) await runtime.clock.sleep(5);
      rmSync(bed.path("begun"));
      end();
      const outcomes = await running;
      expect(outcomes.map(({ error }) => error?.message.includes("cancelled"))).toEqual([
        true,
        true,
      ]);
      expect(bed.backups()).toEqual([]);
    }
  }, LIMIT_MS);
});
