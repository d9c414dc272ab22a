// The write-ahead log of a database between the real code of both workers and a real vault.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WAL_AHEAD_KEEP_MS } from "../../agent/client/limits.ts";
import type { WalAction } from "../../agent/job/mod.ts";
import { segmentName } from "../../agent/wal/mod.ts";
import { WAL_VERSION } from "../../transport/flow/mod.ts";
import { makeSegment, NAME, SYSTEM } from "../unit/agent/wal/wal_fixture.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { HandClock } from "../unit/transport/flow/hand_clock.ts";
import { GET, LogBed, PUSH, SEGMENT, unpacked } from "./log_bed.ts";

let place: LogBed;

beforeEach(() => {
  place = new LogBed();
});

afterEach(() => place[Symbol.dispose]());

interface Segment {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Four segments in a log's directory, which PostgreSQL wants to have archived. */
function readySegments(): readonly [Segment, Segment, Segment, Segment] {
  const log = place.path("pg_wal");
  mkdirSync(join(log, "archive_status"), { recursive: true });
  const make = (index: number): Segment => {
    const name = segmentName(1, 0x1000 + index, SEGMENT.length);
    const address = BigInt(0x1000 + index) * BigInt(SEGMENT.length);
    const content = makeSegment({ address, fill: index });
    writeFileSync(join(log, name), content);
    writeFileSync(join(log, "archive_status", `${name}.ready`), "");
    return { name, content };
  };
  return [make(3), make(4), make(5), make(6)];
}

/** What a command asks that sees this content in the log's directory. */
function ownPush(name: string, content: Uint8Array): WalAction {
  const sha256 = createHash("sha256").update(content).digest("hex");
  const own = { directory: place.path("pg_wal"), system: SYSTEM, known: null, name };
  return { type: "push-own", ...own, bytes: content.length, sha256 };
}

describe("the archive of a log", () => {
  test("keeps what is pushed, once, and gives the same bytes back", async () => {
    const bed = place.archive();
    expect(await bed.ask(PUSH)).toEqual({ type: "stored" });
    expect(await bed.ask(PUSH)).toEqual({ type: "same" });
    const got = await bed.ask(GET);
    expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), SEGMENT) : got).toBe(0);
    // A single cluster need not be named.
    expect((await bed.ask({ ...GET, system: null })).type).toBe("file");
    expect(await bed.ask({ ...GET, name: "000000010000000100000004" })).toEqual({ type: "absent" });
    await bed.end();
    const kept = place.path("wal", "web01", "pg", SYSTEM, NAME.slice(0, 16));
    expect(readdirSync(kept)).toEqual([`${NAME}.zst`]);
    const stock = execFileSync("zstd", ["-dc", join(kept, `${NAME}.zst`)], { maxBuffer: 2 ** 30 });
    expect(Buffer.compare(stock, SEGMENT)).toBe(0);
  });

  test("has what is ready before it is asked for, and what a recovery reads next", async () => {
    const bed = place.archive();
    const files = readySegments();
    const pushOwn = (name: string, content: Uint8Array) => bed.ask(ownPush(name, content));
    const [first, ...others] = files;
    expect(await pushOwn(first.name, first.content)).toEqual({ type: "stored" });
    // Between two requests there is time for one file ahead.
    for (const _ of files) await bed.ask({ ...GET, name: "000000010000000100000009" });
    const kept = place.path("wal", "web01", "pg", SYSTEM, first.name.slice(0, 16));
    expect(readdirSync(kept).sort()).toEqual(files.map(({ name }) => `${name}.zst`));
    for (const { name, content } of others) {
      expect(await pushOwn(name, content.with(content.length - 1, 1))).toEqual({ type: "unlike" });
      expect((await pushOwn(name, content)).type).toBe("same");
    }
    for (const { name, content } of files) {
      const got = await bed.ask({ ...GET, name });
      expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), content) : got).toBe(0);
    }
    await bed.end();
  });

  test("gives up after a minute what was carried ahead and nobody asks for", async () => {
    const clock = new HandClock();
    const bed = place.archive({ clock });
    const [first, second, third, fourth] = readySegments();
    const pushOwn = ({ name, content }: Segment) => bed.ask(ownPush(name, content));
    const minutePasses = async () => {
      await clock.ring(WAL_AHEAD_KEEP_MS);
      await runtime.clock.yield();
    };
    await pushOwn(first);
    await clock.until(WAL_AHEAD_KEEP_MS, 1);
    // What is remembered says how it came there; the server, that it was there.
    expect(await pushOwn(second)).toEqual({ type: "stored" });
    await minutePasses();
    expect(await pushOwn(third)).toEqual({ type: "same" });

    for (const { name } of [first, second]) await bed.ask({ ...GET, name });
    await clock.until(WAL_AHEAD_KEEP_MS, 1);
    for (const { name } of [third, fourth]) rmSync(place.keptAt(name));
    expect((await bed.ask({ ...GET, name: third.name })).type).toBe("file");
    await minutePasses();
    expect((await bed.ask({ ...GET, name: fourth.name })).type).toBe("absent");
    await bed.end();
  });

  test("goes on after what it refuses", async () => {
    const bed = place.archive();
    await bed.ask(PUSH);
    const other = makeSegment({ fill: 7 });
    const refusals = [
      [{ ...PUSH, bytes: other }, "mismatch"],
      [{ ...PUSH, name: "000000010000000100000009" }, "mismatch"],
      [{ ...PUSH, system: "7" }, "mismatch"],
      [{ ...PUSH, name: "../../x" }, "usage"],
      [{ ...GET, name: "../../x" }, "usage"],
      [{ ...GET, system: "7" }, "failed"],
    ] as const;
    for (const [action, code] of refusals) {
      expect(await bed.ask(action)).toMatchObject({ type: "refused", error: { code } });
    }
    const history = { name: "00000002.history", bytes: new TextEncoder().encode("1\t0/1\tx\n") };
    expect(await bed.ask({ ...PUSH, ...history })).toEqual({ type: "stored" });
    const got = await bed.ask(GET);
    expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), SEGMENT) : got).toBe(0);
    await bed.end();
  });

  test("ends on both sides when the connection does, also while nothing is asked", async () => {
    const bed = place.archive();
    await bed.ask(PUSH);
    bed.pairs[0]?.[0].abort("cut");
    const ends = await Promise.allSettled([bed.carried, bed.served]);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("is refused where the server is of an earlier release", async () => {
    const { carried, end } = place.archive({ version: WAL_VERSION - 1 });
    await expect(carried).rejects.toMatchObject({ code: "mismatch" });
    await end();
  });
});
