// Programs as databases: what one writes comes back to the other, and neither fails unnoticed.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CommandRestorer, produceCommand } from "../../../../../agent/application/mod.ts";
import { decodeIndexRows } from "../../../../../agent/media/index_rows.ts";
import { currentRuntime } from "../../../../../transport/runtime/mod.ts";
import type { DataRecord } from "../../../../../agent/record.ts";
import { compressed, decompressed, makeFolder, removeFolder, shell, textOf } from "../fixture.ts";

const { process: system, clock } = await currentRuntime();
const FRAME_BYTES = 16 * 1024;
/** What fits a part: the frame without its header and padding. */
const PART_BYTES = FRAME_BYTES - 4096;

let folder = "";
let stop = new AbortController();

beforeEach(() => {
  folder = makeFolder();
  stop = new AbortController();
});

afterEach(() => removeFolder(folder));

const common = { process: system, clock, environment: {} };

/** All records of what the script writes, as a job takes them. */
async function backUp(script: string): Promise<DataRecord[]> {
  const { producer, ready, end } = produceCommand({
    ...common,
    command: ["sh", "-c", script],
    name: "erp",
    owner: system.user,
    frameBytes: FRAME_BYTES,
    signal: stop.signal,
  });
  try {
    const records: DataRecord[] = [];
    for (let next = producer.next(); next.done !== true; next = producer.next()) {
      if (next.value === null) await ready();
      else records.push(compressed(next.value));
    }
    return records;
  } finally {
    await end();
  }
}

async function restore(
  records: readonly DataRecord[],
  script: string,
  onSettled: () => void = () => {},
): Promise<void> {
  const consumer = new CommandRestorer({
    ...common,
    command: ["sh", "-c", script],
    signal: stop.signal,
  });
  try {
    for (const { sequence, frame, tarBytes } of records) {
      const pieces = [{ offset: 0, length: tarBytes }];
      consumer.feed(decompressed({ sequence, frame, tarBytes, pieces }));
      await consumer.settle();
      onSettled();
    }
    consumer.finish();
    await consumer.settle();
  } finally {
    await consumer.end();
  }
}

describe("a command's backup", () => {
  test("gives the restore's program what the other wrote, at every size around a part", async () => {
    const file = join(folder, "data");
    const back = join(folder, "back");
    for (const bytes of [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 300_000]) {
      writeFileSync(file, crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65536))));
      if (bytes > 65536) writeFileSync(file, new Uint8Array(bytes).map((_, at) => at % 253));
      const records = await backUp(`cat ${file}`);
      await restore(records, `cat > ${back}`);
      expect(readFileSync(back)).toEqual(readFileSync(file));
      // With stock tools the same.
      writeFileSync(join(folder, "media"), Buffer.concat(records.map(({ frame }) => frame)));
      shell(folder, "zstd -dc media | tar -xOf - | cmp - data");
    }
  });

  test("has its parts in order under the name of the database", async () => {
    const records = await backUp(`head -c ${2 * PART_BYTES + 1} /dev/zero`);
    const paths = records.flatMap(({ rows }) => decodeIndexRows(rows).rows)
      .map(({ entry }) => textOf(entry.path));
    expect(paths).toEqual(["/erp/000000001", "/erp/000000002", "/erp/000000003"]);
  });

  test("fails when the program does, with the end of what it said", async () => {
    const failure = backUp("head -c 100000 /dev/zero; echo disk is gone >&2; exit 3");
    await expect(failure).rejects.toThrow('"sh" ended with 3: disk is gone');
    await expect(backUp("kill -9 $$")).rejects.toThrow("ended with 137");
  });

  test("ends the program when the job is cancelled, with all that it started", async () => {
    const mark = join(folder, "mark");
    const running = backUp(`(sleep 3; touch ${mark}) & touch ${mark}-started; sleep 60`);
    running.catch(() => {}); // Taken below.
    while (!existsSync(`${mark}-started`)) await clock.sleep(5);
    stop.abort();
    await expect(running).rejects.toThrow("cancelled");
    expect(shell(folder, "pgrep -f 'sleep [3]; touch' || true")).toBe("");
  });
});

describe("a command's restore", () => {
  test("waits for a program that is slow instead of holding everything in memory", async () => {
    const records = await backUp("head -c 4000000 /dev/zero");
    const [go, count] = [join(folder, "go"), join(folder, "count")];
    let settled = 0;
    const running = restore(
      records,
      `until test -e ${go}; do sleep 0.01; done; wc -c > ${count}`,
      () => settled += 1,
    );
    for (let turn = 0; turn < 2000; turn += 1) await clock.yield();
    expect(settled).toBeLessThan(records.length / 2);
    writeFileSync(go, "");
    await running;
    expect(readFileSync(count, "utf8").trim()).toBe("4000000");
  });

  test("fails when the program does, early or late, or does not want the rest", async () => {
    const records = await backUp("head -c 4000000 /dev/zero");
    await expect(restore(records, "echo no room >&2; exit 4")).rejects.toThrow(
      "ended with 4: no room",
    );
    await expect(restore(records, "cat > /dev/null; exit 5")).rejects.toThrow("ended with 5");
    await expect(restore(records, "head -c 10 > /dev/null")).rejects.toThrow(
      "more than the program",
    );
  });

  test("kills the program when it cannot go on: a cut stream is no whole one", async () => {
    const done = join(folder, "done");
    const records = await backUp("head -c 100000 /dev/zero");
    const last = records.pop();
    const broken = { ...last, sequence: 99 } as DataRecord;
    const cut = restore([...records, broken], `cat > /dev/null && touch ${done}`);
    await expect(cut).rejects.toThrow("found record 99");
    expect(existsSync(done)).toBe(false);
    await expect(restore([], `cat && touch ${done}`)).rejects.toThrow("found nothing");
    expect(existsSync(done)).toBe(false);
  });
});
