// Data of jobs on the shared volumes, with encryption and without: what lies on an emulated array's
// devices after a backup, a restore with it, and a database job of several connections.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { attachArray, createArray, destageArray } from "../../emulator/mod.ts";
import { temporaryArray } from "../unit/emulator/temporary_array.ts";
import { openStpBed } from "../unit/transport/stp/stp_bed.ts";
import { BACKUP, restore } from "./data_jobs.ts";
import { DatabaseBed } from "./database_bed.ts";
import { JobBed, type JobOutcome, TIMING } from "./job_bed.ts";
import { GET, PUSH, SEGMENT, unpacked } from "./log_bed.ts";

const LIMIT_MS = 60_000;
const MIB = 1024 * 1024;
/** Less than a ring: all of it lies on the volumes at the end. */
const FILE_BYTES = 200_000;
/** Bytes that do not compress, and so travel as they are where they are not encrypted. */
const CONTENT = crypto.getRandomValues(new Uint8Array(FILE_BYTES / 4));
const NEEDLE = CONTENT.subarray(1000, 1064);

const isEncrypted = ({ steps }: JobOutcome) =>
  steps.filter(({ call }) => call.includes("is encrypted from here on")).length;

/** Backs a file up through an array and restores it. @returns what then lies on its devices */
async function devicesAfterJob(encrypt: readonly [boolean, boolean]): Promise<Buffer> {
  const place = await temporaryArray();
  const { path, parts } = place;
  try {
    createArray(path, { volumes: 2, volumeBytes: 16 * MIB }, parts);
    const arrays = ["one", "two"].map((hostName) => attachArray(path, { hostName }, parts));
    const [one = [], two = []] = arrays.map((array) => ["v0", "v1"].map((n) => array.volume(n)));
    const { clock, random } = parts;
    const stp = await openStpBed({ clock, random, volumes: [one, two], timing: TIMING });
    await using bed = new JobBed(stp, { channel: "storage-only" });
    bed.encrypt = encrypt;
    writeFileSync(bed.path("data"), CONTENT);
    const action = { type: "backup", backup: BACKUP, paths: [bed.path("data")] } as const;
    const backedUp = await bed.run({ ...action, ...EVERYTHING, full: true });
    const restored = await restore(bed);
    for (const outcome of [...backedUp, ...restored]) {
      expect([outcome.error, outcome.result?.status, outcome.fallback]).toEqual([null, "ok", null]);
      expect(outcome.channels.storage).toBeGreaterThan(CONTENT.length);
      expect(isEncrypted(outcome)).toBe(encrypt.includes(true) ? 2 : 0);
    }
    const file = bed.path("restored", bed.path("data"));
    expect(readFileSync(file).equals(CONTENT)).toBe(true);
    await stp.close();
    for (const array of arrays) array.close();
    destageArray(path, parts);
    const devices = readdirSync(path).filter((name) => name.startsWith("v"));
    expect(devices.length).toBeGreaterThanOrEqual(2);
    return Buffer.concat(devices.map((name) => readFileSync(join(path, name))));
  } finally {
    await place.dispose();
  }
}

test("data of a job lies on the volumes as it is without encryption", async () => {
  expect((await devicesAfterJob([false, false])).includes(NEEDLE)).toBe(true);
}, LIMIT_MS);

test("no data of a job lies on the volumes where one host wants it encrypted", async () => {
  expect((await devicesAfterJob([true, false])).includes(NEEDLE)).toBe(false);
}, LIMIT_MS);

test("a database job encrypts each of its connections", async () => {
  await using bed = await DatabaseBed.open();
  bed.encrypt = [false, true]; // One end is enough.
  bed.channel = "storage-only";
  writeFileSync(bed.path("data"), CONTENT);
  const script = "cat data > {pipe1} & cat data > {pipe2}; wait";
  const outcomes = await bed.run({
    name: "erp",
    kind: "command",
    backup: ["sh", "-c", `cd ${bed.folder} && { ${script}; }`],
    restore: ["true"],
    streams: 2,
    pipes: { owner: null, openWithinMs: 20_000 },
  }, { type: "backup" });
  expect(outcomes.map(({ error }) => error)).toEqual([null, null]);
  expect(outcomes.map(isEncrypted)).toEqual([4, 4]);
  for (const { bytes } of bed.stp.media) expect(Buffer.from(bytes).includes(NEEDLE)).toBe(false);
}, LIMIT_MS);

test("the standing connection of a log encrypts what it carries", async () => {
  const segment = SEGMENT.slice();
  segment.set(CONTENT, segment.length - CONTENT.length);
  for (const isWanted of [false, true]) {
    await using bed = await DatabaseBed.open();
    bed.encrypt = [isWanted, false];
    bed.channel = "storage-only";
    const { answers, outcomes } = await bed.carry({
      name: "pg",
      kind: "postgresql",
      data: bed.path("data"),
      socket: bed.folder,
      port: 5432,
      user: "postgres",
    }, [{ ...PUSH, bytes: segment }, GET]);
    const [pushed, got] = answers;
    expect(pushed).toEqual({ type: "stored" });
    expect(got?.type === "file" && Buffer.compare(unpacked(got.frame), segment)).toBe(0);
    for (const outcome of outcomes) {
      expect(isEncrypted(outcome)).toBe(isWanted ? 2 : 0);
      expect(outcome.channels.storage).toBeGreaterThan(2 * CONTENT.length);
    }
    const found = bed.stp.media.map(({ bytes }) => Buffer.from(bytes).includes(NEEDLE));
    expect(found).toEqual([!isWanted]);
  }
}, LIMIT_MS);
