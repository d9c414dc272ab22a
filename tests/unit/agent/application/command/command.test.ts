// Programs as databases: what one writes comes back to the other, and neither fails unnoticed.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeIndexRows } from "../../../../../agent/media/index_rows.ts";
import type { DataRecord } from "../../../../../agent/record.ts";
import { makeFolder, removeFolder, shell, textOf } from "../fixture.ts";
import { backUp as runBackup, clock, PART_BYTES, restore as runRestore } from "./command_bed.ts";

let folder = "";
let stop = new AbortController();

beforeEach(() => {
  folder = makeFolder();
  stop = new AbortController();
});

afterEach(() => removeFolder(folder));

const backUp = (script: string) => runBackup({ script, signal: stop.signal });
const restore = (
  records: readonly DataRecord[],
  script: string,
  onSettled: () => void = () => {},
) => runRestore(records, { script, signal: stop.signal }, onSettled);

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
    const [first, , third] = await backUp(`head -c ${3 * PART_BYTES} /dev/zero`);
    const hole = [first, { ...third, sequence: 1 }] as DataRecord[];
    await expect(restore(hole, `cat > /dev/null && touch ${done}`)).rejects.toThrow("its order");
    expect(existsSync(done)).toBe(false);
  });
});
