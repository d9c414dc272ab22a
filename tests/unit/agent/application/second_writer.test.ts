// A restore with a second thread that writes small files: whatever comes, and however late that
// thread is, the tree is the one that a restore makes without it.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import {
  FilesystemRestorer,
  type FilesystemRestorerOptions,
  produceFilesystem,
} from "../../../../agent/application/mod.ts";
import { SMALL_FILE_BYTES_MAX } from "../../../../agent/application/limits.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { SystemError } from "../../../../transport/runtime/files.ts";
import { currentRuntime } from "../../../../transport/runtime/current_runtime.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import {
  clock,
  collect,
  files,
  makeFolder,
  picture,
  removeFolder,
  restoreAll,
  shell,
  warningLog,
  withFaults,
} from "./fixture.ts";
import { frame, member, randomStream, streamPicture } from "./member_stream_bed.ts";
import { LateWriter } from "./late_writer.ts";

const { startThread } = await currentRuntime();
const SEEDS = 60;

let folder = "";
let writer: LateWriter;
beforeEach(() => {
  folder = makeFolder();
  writer = new LateWriter(files);
});
afterEach(() => removeFolder(folder));

function restorer(options: Partial<FilesystemRestorerOptions> = {}): FilesystemRestorer {
  return new FilesystemRestorer({
    files,
    target: join(folder, "out"),
    overwrite: "refuse",
    redirects: [],
    onWarning: () => {},
    second: writer.options,
    ...options,
  });
}

/** Feeds the members, each in a frame of its own; the thread comes after the first. */
async function feedAll(consumer: FilesystemRestorer, members: readonly Uint8Array[]) {
  for (const [sequence, tar] of members.entries()) {
    consumer.feed(frame(sequence, tar));
    if (sequence === 0) await turns();
  }
}

/** Lets what the writer said be heard. */
async function turns() {
  for (let turn = 0; turn < 3; turn++) await setImmediate();
}

async function finish(consumer: FilesystemRestorer) {
  const totals = consumer.finish();
  await consumer.settle();
  return totals;
}

const first = member("/first/file", "file", { content: "x" });
const inOut = (script: string) => shell(join(folder, "out"), script).trim();

describe("FilesystemRestorer with a second writer", () => {
  test("makes the tree again, by both writers, on a thread of the program", async () => {
    const source = join(folder, "src");
    mkdirSync(source);
    shell(
      source,
      `for d in a b/c d; do mkdir -p $d; for i in {1..150}; do echo "$d $i" > $d/$i; done; done
       : > a/empty; head -c ${SMALL_FILE_BYTES_MAX} /dev/urandom > a/limit
       head -c ${SMALL_FILE_BYTES_MAX + 1} /dev/urandom > a/over; ln a/1 d/link; ln -s 2 b/sym
       chmod 4755 a/3; chmod 400 a/4; touch -d 1955-03-04T05:06:07.9Z a/5 b/c; chmod 500 b
       truncate -s 1M a/sparse; echo end >> a/sparse`,
    );
    const options = { files, paths: [source], ...EVERYTHING, frameBytes: 16 * 1024 };
    const made = collect(produceFilesystem({ ...options, onWarning: () => {} }));
    const thread = startThread(new URL("../../../../agent/writer_worker.ts", import.meta.url));
    const { port1, port2 } = new MessageChannel();
    thread.post({ type: "serve", port: port1 }, [port1]);
    const log = warningLog();
    const ready = new Promise((resolve) => port2.addEventListener("message", resolve));
    const ask = () => Promise.resolve(port2);
    const consumer = restorer({ second: { clock, ask, afterFiles: 1 }, ...log });
    await feedAll(consumer, [first]);
    await ready;
    const { records } = made;
    const numbered = records.map((record) => ({ ...record, sequence: record.sequence + 1 }));
    restoreAll({ ...made, records: numbered }, consumer);
    await consumer.settle();
    await thread.terminate();
    expect(log.log).toEqual([]);
    expect(consumer.written()).toEqual({ files: made.files + 1, bytes: made.bytes + 1 });
    expect(picture(join(folder, "out", source))).toBe(picture(source));
  });

  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`restores a stream as without it, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const frames = randomStream(random);
      const overwrite = (["never", "always", "changed"] as const)[random.below(3)] ?? "never";
      const maxOpenDirectories = 2 + random.below(3);
      const pictures: string[] = [];
      let written = 0;
      for (const second of [undefined, writer.options]) {
        const target = join(folder, second === undefined ? "alone" : "both");
        const log = warningLog();
        const options = { target, overwrite, maxOpenDirectories, second, ...log };
        const consumer = restorer(options);
        for (const [sequence, tar] of frames.entries()) {
          consumer.feed(frame(sequence, tar));
          await turns();
          if (second !== undefined) writer.work(random.below(2));
        }
        const totals = await finish(consumer);
        pictures.push(
          JSON.stringify([totals, log.log.toSorted(), streamPicture(target)], null, 1),
        );
        written = writer.batches;
      }
      expect(pictures[1]).toBe(pictures[0] as string);
      expect(written).toBeGreaterThan(0);
    });
  }

  test("what comes later at a path stands there, though the file is written late", async () => {
    const consumer = restorer({ overwrite: "always" });
    await feedAll(consumer, [
      first,
      member("/d", "directory"),
      member("/d/file", "file", { content: "one" }),
      member("/d/file", "symlink", { target: "/d/elsewhere" }),
      member("/d/linked", "file", { content: "two" }),
      member("/d/link", "hardlink", { target: "/d/linked" }),
      member("/d/replaced", "file", { content: "never seen" }),
      member("/d/replaced", "hardlink", { target: "/first/file" }),
      member("/d/changes", "file", { content: "three" }),
      member("/d/changes/below", "file", { content: "four" }),
    ]);
    await finish(consumer);
    expect(writer.batches).toBe(5);
    expect(inOut("readlink d/file; stat -c %h d/linked; cat d/link d/replaced d/changes/below"))
      .toBe("/d/elsewhere\n2\ntwoxfour");
  });

  test("a link to below a file that is written late is told as without the thread", async () => {
    const log = warningLog();
    const consumer = restorer({ ...log });
    await feedAll(consumer, [
      first,
      member("/d/file", "file", { content: "one" }),
      member("/d/link", "hardlink", { target: "/d/file/below" }),
    ]);
    await finish(consumer);
    expect(log.log).toEqual(["occupied /d/link"]);
  });

  test("a directory is not closed for deeper ones before its files are written", async () => {
    const consumer = restorer({ maxOpenDirectories: 2 });
    await feedAll(consumer, [
      first,
      member("/d/file", "file", { content: "one" }),
      member("/d/1/2/3/file", "file", { content: "two" }),
    ]);
    await finish(consumer);
    expect(inOut("cat d/file d/1/2/3/file")).toBe("onetwo");
  });

  test("a directory gets its times and mode after its files, and may be entered again", async () => {
    const consumer = restorer({ overwrite: "changed" });
    await feedAll(consumer, [
      first,
      member("/d", "directory", { mode: 0o500, mtimeNs: 1_000_000_000n }),
      member("/d/file", "file", { content: "one" }),
      member("/e", "directory", { mtimeNs: 2_000_000_000n }),
      member("/d/more", "symlink", { target: "x" }),
      member("/f", "directory", { mtimeNs: 3_000_000_000n }),
    ]);
    await finish(consumer);
    expect(inOut("stat -c '%n %a %Y' d e f; ls d"))
      .toBe("d 500 1\ne 755 2\nf 755 3\nfile\nmore");
  });

  test("holds few directories open that wait for their files", async () => {
    let open = 0;
    let most = 0;
    const counting = withFaults({
      open: (directory, path, flags) => {
        const descriptor = files.open(directory, path, flags);
        if (flags.directory) most = Math.max(most, ++open);
        return descriptor;
      },
      close: (descriptor) => {
        if (files.statDescriptor(descriptor).type === "directory") open--;
        files.close(descriptor);
      },
    });
    const consumer = restorer({ files: counting });
    const one = [...Array(300).keys()].flatMap((at) => [
      member(`/d${at}`, "directory"),
      member(`/d${at}/file`, "file", { content: "x" }),
    ]);
    await feedAll(consumer, [first, Buffer.concat(one)]);
    await finish(consumer);
    expect(inOut("cat d*/file | wc -c")).toBe("300");
    expect([most < 80, open]).toEqual([true, 0]);
  });

  test("a full medium ends the restore, and what was half-written is gone", async () => {
    let room = 3;
    writer = new LateWriter(withFaults({
      writeAll: (descriptor, bytes) => {
        if (room-- === 0) throw new SystemError("ENOSPC", "write", "file");
        files.writeAll(descriptor, bytes);
      },
    }));
    const names = [..."abcdef"];
    const members = names.map((name) => member(`/d/${name}`, "file", { content: name }));
    const consumer = restorer();
    await feedAll(consumer, [first, Buffer.concat(members), member("/d/g", "file")]);
    writer.work(1);
    await turns();
    expect(() => consumer.feed(frame(3, first))).toThrow("found ENOSPC, need more space");
    consumer.abort();
    expect([writer.batches, writer.closed]).toEqual([2, true]);
    expect(inOut("ls -A d")).toBe("a\nb\nc");
  });

  test("settle() tells what the thread met last, and its warnings before that", async () => {
    let room = 1;
    const failing = (errno: string) => {
      writer = new LateWriter(withFaults({
        rename: (...names) => {
          if (room-- <= 0) throw new SystemError(errno, "renameat", "file");
          files.rename(...names);
        },
      }));
      room = 1;
    };
    const members = ["a", "b", "c"].map((name) => member(`/d/${name}`, "file", { content: name }));
    failing("EACCES");
    const log = warningLog();
    const warned = restorer({ ...log });
    await feedAll(warned, [first, Buffer.concat(members)]);
    expect(await finish(warned)).toEqual({ files: 2, bytes: 2 });
    expect(log.log).toEqual(["unwritten /d/b", "unwritten /d/c"]);
    failing("EIO");
    const broken = restorer({ target: join(folder, "broken") });
    await feedAll(broken, [first, Buffer.concat(members)]);
    expect(broken.finish()).toEqual({ files: 2, bytes: 2 });
    await expect(broken.settle()).rejects.toThrow("need a medium that takes writes");
  });

  test("writes itself what the thread cannot take, or has no room for", async () => {
    mkdirSync(join(folder, "out", "old"), { recursive: true });
    const consumer = restorer({ overwrite: "always" });
    const attributes = [{ name: Buffer.from("user.x"), value: Buffer.from("y") }];
    await feedAll(consumer, [
      first,
      member("/old/file", "file", { content: "1" }),
      member("/d/attributes", "file", { content: "1" }, attributes),
      member("/d/owner", "file", { content: "1", uid: 2 ** 32 + 1 }),
      member("/d/time", "file", { content: "1", mtimeNs: 2n ** 63n }),
    ]);
    expect(writer.posted).toEqual(["begin"]);
    const two = ["/d/a", "/d/b", "/d/c"].map((path) => member(path, "file", { content: "2" }));
    two.forEach((tar, at) => consumer.feed(frame(5 + at, tar)));
    expect(writer.posted).toEqual(["begin", "batch", "batch"]);
    await finish(consumer);
    expect(inOut("ls d")).toBe("a\nattributes\nb\nc\nowner\ntime");
  });

  test("writes itself what does not fit a batch", async () => {
    const consumer = restorer();
    const content = "a".repeat(SMALL_FILE_BYTES_MAX);
    const names = [..."abcdefghij"];
    const members = names.map((name) => member(`/d/${name}`, "file", { content }));
    await feedAll(consumer, [first, Buffer.concat(members)]);
    expect(await finish(consumer)).toEqual({ files: 11, bytes: 1 + 10 * content.length });
    expect(inOut("sort -u d/* | wc -c")).toBe(`${content.length + 1}`);
  });

  test("does without a thread that comes too late, and closes its port", async () => {
    let give: (port: LateWriter) => void = () => {};
    const ask = () => {
      writer.options.ask();
      return new Promise<LateWriter>((resolve) => give = resolve);
    };
    const consumer = restorer({ second: { ...writer.options, ask } });
    await feedAll(consumer, [first, member("/a", "file", { content: "1" })]);
    expect(await finish(consumer)).toEqual({ files: 2, bytes: 2 });
    give(writer);
    await turns();
    expect([writer.posted, writer.closed]).toEqual([[], true]);
  });

  test("content that comes in parts is written by the job's own thread", async () => {
    const consumer = restorer();
    await feedAll(consumer, [first]);
    const tar = member("/d/file", "file", { content: "a".repeat(2000) });
    consumer.feed(frame(1, tar.subarray(0, tar.length - 1536)));
    consumer.feed(frame(2, tar.subarray(tar.length - 1536)));
    await finish(consumer);
    expect([inOut("wc -c < d/file"), writer.posted]).toEqual(["2000", ["begin", "end"]]);
  });
});
