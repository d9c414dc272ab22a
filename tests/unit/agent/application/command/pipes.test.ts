// Programs that get named pipes: what they do with them, in any order, and what they leave undone.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DataRecord } from "../../../../../agent/record.ts";
import { failure } from "../../../transport/connect/failure.ts";
import { decompressed, makeFolder, removeFolder, shell } from "../fixture.ts";
import { backUp, clock, consumerOf, restore, type RunOptions } from "./command_bed.ts";

let folder = "";
let stop = new AbortController();

beforeEach(() => {
  folder = makeFolder();
  stop = new AbortController();
});

/** Whatever happened, no pipe is left. */
afterEach(() => {
  expect(existsSync(join(folder, "pipes"))).toBe(false);
  removeFolder(folder);
});

function run(
  script: string,
  { stdio = false, ...options }: Partial<RunOptions> & { readonly stdio?: boolean } = {},
): RunOptions {
  const place = stdio ? {} : { directory: join(folder, "pipes") };
  return { script, signal: stop.signal, ...place, ...options };
}

/** A file of so many bytes. */
function data(name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(bytes).map((_, at) => (at * at + bytes) % 251));
  return path;
}

describe("a program with a named pipe", () => {
  test("writes its backup into the one and reads it back from the other", async () => {
    const back = join(folder, "back");
    for (const bytes of [1, 70_000, 2_000_000]) {
      const file = data("data", bytes);
      const records = await backUp(run(`cat ${file} > {pipe}`));
      await restore(records, run(`cat {pipe1} > ${back}`));
      expect(readFileSync(back).equals(readFileSync(file))).toBe(true);
    }
  });

  test("may open it several times in turn, for both", async () => {
    const file = data("data", 300_000);
    const parts = `head -c 100000 ${file} > {pipe}; sleep 0.05; tail -c +100001 ${file} > {pipe}`;
    const records = await backUp(run(parts));
    const back = join(folder, "back");
    // A first look at the head, as some tools take, then the rest, then the end once more.
    const reading =
      `head -c 65536 < {pipe} > ${back}; sleep 0.05; cat {pipe} >> ${back}; cat {pipe}`;
    await restore(records, run(reading));
    const [got, sent] = [readFileSync(back), readFileSync(file)];
    expect(got.equals(sent)).toBe(true);
  });

  test("finds it in a directory that nobody else may enter", async () => {
    const running = backUp(run(`until test -e ${folder}/go; do sleep 0.01; done; echo x > {pipe}`));
    const pipes = join(folder, "pipes");
    while (!existsSync(join(pipes, "1"))) await clock.sleep(1);
    expect([statSync(pipes).mode & 0o777, statSync(join(pipes, "1")).mode & 0o777])
      .toEqual([0o700, 0o600]);
    expect(statSync(join(pipes, "1")).isFIFO()).toBe(true);
    writeFileSync(join(folder, "go"), "");
    expect((await running).length).toBe(2);
  });

  test("fails with what it said on either output, whatever it wrote", async () => {
    const torn = backUp(run("head -c 50000 /dev/zero > {pipe}; echo out; echo err >&2; exit 3"));
    await expect(torn).rejects.toThrow(/"sh" ended with 3: (out\nerr|err\nout)/);
    await expect(backUp(run("echo no licence; exit 4"))).rejects.toThrow("with 4: no licence");
    const records = await backUp(run("head -c 500000 /dev/zero > {pipe}"));
    await expect(restore(records, run("echo full >&2; exit 5"))).rejects.toThrow("with 5: full");
    await expect(restore(records, run("head -c 9 {pipe}; echo bad >&2; exit 6")))
      .rejects.toThrow("bad");
  });

  test("fails when it ends with 0 and left its pipe alone, or did not take everything", async () => {
    await expect(backUp(run("true"))).rejects.toThrow("had written nothing to its pipe");
    const records = await backUp(run("head -c 500000 /dev/zero > {pipe}"));
    await expect(restore(records, run("true"))).rejects.toThrow("more than the program takes");
    await expect(restore(records, run("head -c 9 {pipe}"))).rejects.toThrow(
      "more than the program",
    );
  });

  test("is ended when it never opens its pipe", async () => {
    const open = { openWithinMs: 50 };
    const failure = {
      code: "timeout",
      message: expect.stringContaining("nobody opened it within"),
    };
    await expect(backUp(run("sleep 60", open))).rejects.toMatchObject(failure);
    const records = await backUp(run("echo x > {pipe}"));
    await expect(restore(records, run("sleep 60", open))).rejects.toMatchObject(failure);
  });

  test("is ended with all that it started when the job is cancelled", async () => {
    const mark = join(folder, "mark");
    const running = backUp(run(`(sleep 61 > {pipe}) & touch ${mark}; sleep 60`));
    running.catch(() => {}); // Taken below.
    while (!existsSync(mark)) await clock.sleep(1);
    stop.abort();
    await expect(running).rejects.toThrow("cancelled");
    expect(shell(folder, "pgrep -f 'sleep 6[1]' || true")).toBe("");
  });
});

describe("streams", () => {
  /** Everything that is written, by stream, from the media with stock tools. */
  function streamsOf(records: readonly DataRecord[], count: number): Buffer[] {
    writeFileSync(join(folder, "media"), Buffer.concat(records.map(({ frame }) => frame)));
    return Array.from({ length: count }, (_, index) => {
      shell(folder, `zstd -dc media | tar -xOf - erp/${index + 1} > stream`);
      return readFileSync(join(folder, "stream"));
    });
  }

  const sizes = [300_000, 1, 120_000];

  test("of one program's pipes are told apart in the media, and come back", async () => {
    const names = sizes.map((bytes, index) => data(`data${index + 1}`, bytes));
    const writing = names.map((name, index) => `cat ${name} > {pipe${index + 1}} &`).join(" ");
    const records = await backUp(run(`${writing} wait`, { streams: 3 }));
    const sent = names.map((name) => readFileSync(name));
    expect(streamsOf(records, 3).map((got, index) => got.equals(sent[index] ?? got)))
      .toEqual([true, true, true]);
    // One after the other, the last one first: none of them waits for those before it.
    const back = (number: number) => join(folder, `back${number}`);
    const reading = [3, 2, 1].map((number) => `cat {pipe${number}} > ${back(number)}`).join("; ");
    await restore(records, run(reading, { streams: 3 }));
    expect(
      [1, 2, 3].map((number) => readFileSync(back(number)).equals(sent[number - 1] ?? Buffer.of())),
    )
      .toEqual([true, true, true]);
  });

  test("never give a cut stream to what a program that failed has left behind", async () => {
    const records = await backUp(run("echo a > {pipe1} & echo b > {pipe2}; wait", { streams: 2 }));
    const [pid, whole] = [join(folder, "pid"), join(folder, "whole")];
    const reading =
      `sh -c 'echo $$ > ${pid}; cat {pipe2}; touch ${whole}' & read line < {pipe1}; exit 1`;
    const consumer = consumerOf(run(reading, { streams: 2 }));
    for (const { sequence, frame, tarBytes } of records) {
      const pieces = [{ offset: 0, length: tarBytes }];
      consumer.feed(decompressed({ sequence, frame, tarBytes, pieces }));
    }
    await Promise.all([consumer.taken(0), consumer.taken(1)]);
    expect((await failure(() => consumer.endStream(0))).message).toContain("ended with 1");
    await consumer.end();
    const stat = `/proc/${readFileSync(pid, "utf8").trim()}/stat`;
    while (existsSync(stat) && !/\) [ZX] /.test(readFileSync(stat, "utf8"))) await clock.sleep(1);
    expect(existsSync(whole)).toBe(false);
  });

  test("of a program each go through standard output and input", async () => {
    for (const [index, bytes] of sizes.entries()) data(`data${index + 1}`, bytes);
    const each = { streams: 3, stdio: true };
    const records = await backUp(run(`cat ${folder}/data{stream}`, each));
    await restore(records, run(`cat > ${folder}/back{stream}`, each));
    shell(folder, "for n in 1 2 3; do cmp data$n back$n; done");
  });

  test("fail together when one of them does", async () => {
    const each = { streams: 3, stdio: true };
    const failing = "if test {stream} = 2; then echo torn >&2; exit 3; fi; sleep 62";
    await expect(backUp(run(failing, each))).rejects.toThrow("ended with 3: torn");
    expect(shell(folder, "pgrep -f 'sleep 6[2]' || true")).toBe("");
    const untouched = run("echo a > {pipe1}; echo b > {pipe3}", { streams: 3 });
    await expect(backUp(untouched)).rejects.toThrow('pipes/2"');
  });
});
