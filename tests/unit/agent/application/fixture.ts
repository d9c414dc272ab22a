// What the tests of the applications share: a folder that goes away, libc's files, records of a
// producer as a stream and as restore records, and a picture of a tree by stock tools.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApplicationWarning, Consumer, Producer } from "../../../../agent/application/mod.ts";
import type { IndexRow } from "../../../../agent/entry.ts";
import { decodeIndexRows } from "../../../../agent/media/index_rows.ts";
import { compressFrame, decompressFrame } from "../../../../agent/media/zstd.ts";
import type { DataRecord, RestoreRecord, TarFrame, TarPieces } from "../../../../agent/record.ts";
import type { Files } from "../../../../transport/runtime/files.ts";
import { currentRuntime } from "../../../../transport/runtime/current_runtime.ts";

export const { files, clock } = await currentRuntime();

/** The real files with some calls replaced. */
export function withFaults(faults: Partial<Files>): Files {
  return new Proxy(files, {
    get(real, key) {
      const fault: unknown = Reflect.get(faults, key);
      if (fault !== undefined) return fault;
      const own: unknown = Reflect.get(real, key);
      return typeof own === "function" ? own.bind(real) : own;
    },
  });
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "application-"));
}

export function removeFolder(folder: string): void {
  execFileSync("rm", ["-rf", folder]);
  rmSync(folder, { recursive: true, force: true });
}

/** Runs a shell script in `folder`; `$0` is not used. */
export function shell(folder: string, script: string): string {
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  return execFileSync("bash", ["-ec", script], {
    cwd: folder,
    env,
    encoding: "latin1",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

export interface Produced {
  readonly records: readonly DataRecord[];
  readonly rows: readonly IndexRow[];
  readonly files: number;
  readonly bytes: number;
}

/** What the client makes of a producer's frame before it sends it. */
export function compressed(tarFrame: TarFrame): DataRecord {
  const { tar, release: _, ...rest } = tarFrame;
  const record = { ...rest, frame: compressFrame(tar, 1), tarBytes: tar.length };
  tarFrame.release();
  return record;
}

/** What the client makes of a record before a consumer gets it. */
export function decompressed({ sequence, frame, tarBytes, pieces }: RestoreRecord): TarPieces {
  const tar = frame.length === 0 ? null : decompressFrame(frame, tarBytes);
  return { sequence, tar, pieces };
}

export function collect(producer: Producer): Produced {
  const records: DataRecord[] = [];
  for (;;) {
    const next = producer.next();
    if (next.done === true) {
      const rows = records.flatMap((record) => decodeIndexRows(record.rows).rows);
      return { records, rows, ...next.value };
    }
    if (next.value !== null) records.push(compressed(next.value));
  }
}

/** The media that the records make, as stock zstd reads it. */
export function toMedia(produced: Produced): Uint8Array {
  return Buffer.concat(produced.records.map((record) => record.frame));
}

export function restoreAll(produced: Produced, consumer: Consumer): ReturnType<Consumer["finish"]> {
  for (const { sequence, frame, tarBytes } of produced.records) {
    const pieces = [{ offset: 0, length: tarBytes }];
    consumer.feed(decompressed({ sequence, frame, tarBytes, pieces }));
  }
  return consumer.finish();
}

/** Feeds only the members of these paths, as a partial restore does. */
export function restoreSome(
  produced: Produced,
  consumer: Consumer,
  wanted: (path: string) => boolean,
): ReturnType<Consumer["finish"]> {
  const ranges = produced.rows.filter((row) => wanted(textOf(row.entry.path)));
  let start = 0;
  let sequence = 0;
  for (const { frame, tarBytes } of produced.records) {
    const pieces = ranges.flatMap((row) => {
      const from = Math.max(row.tarOffset - start, 0);
      const to = Math.min(row.tarOffset + row.tarBytes - start, tarBytes);
      return to > from ? [{ offset: from, length: to - from }] : [];
    });
    if (pieces.length > 0) {
      consumer.feed(decompressed({ sequence: sequence++, frame, tarBytes, pieces }));
    }
    start += tarBytes;
  }
  return consumer.finish();
}

export function textOf(path: Uint8Array): string {
  return new TextDecoder().decode(path);
}

/** Codes and paths of warnings, "code path". */
export function warningLog(): { log: string[]; onWarning: (warning: ApplicationWarning) => void } {
  const log: string[] = [];
  return { log, onWarning: ({ code, path }) => void log.push(`${code} ${textOf(path)}`) };
}

/** Every object: type, mode, owner, size, time in ns, target, link set, hash below 100 MiB. */
export function picture(folder: string): string {
  const format = "%P\\t%y\\t%m\\t%U:%G\\t%T@\\t%l\\t%n\\t%i\\t%s\\0";
  // A name may hold a newline: lines of two files must not be taken for one another.
  const lines = shell(folder, `find . -printf '${format}' | sort -z`).split("\0").filter(Boolean);
  const sets = new Map<string, number>();
  const drawn = lines.map((line) => {
    const fields = line.split("\t");
    const [size, inode] = [fields.pop() ?? "", fields.pop() ?? ""];
    if (fields[1] === "d") fields.pop();
    else if (!sets.has(inode)) sets.set(inode, sets.size);
    return [...fields, fields[1] === "d" ? "" : `${sets.get(inode)} ${size}`].join("\t");
  });
  const sums = shell(folder, "find . -type f -size -100M -print0 | sort -z | xargs -0r md5sum");
  return `${drawn.join("\n")}\n${sums}`;
}
