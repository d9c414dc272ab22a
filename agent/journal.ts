// Whether standard error goes to the journal, and its lines as it takes them: each with "<N>", a
// priority of syslog, in front.
//
// JOURNAL_STREAM alone does not say so: what a unit starts inherits the variable, also with its
// output redirected to a file. It names the stream by device and inode.

import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import type { Runtime } from "../transport/runtime/runtime.ts";

export const PRIORITY_ERROR = 3;

const STANDARD_ERROR = "/proc/self/fd/2";

export function writesToJournal({ files, process }: Pick<Runtime, "files" | "process">): boolean {
  const stream = process.env("JOURNAL_STREAM");
  return stream !== undefined && stream === streamOf(files);
}

/** Every line of a text with its priority. */
export function journalLines(priority: number, text: string): string {
  return text.replaceAll(/^(?=.)/gm, `<${priority}>`);
}

function streamOf(files: Pick<Files, "stat">): string | null {
  try {
    const { inode, deviceMajor, deviceMinor } = files.stat(AT_CWD, STANDARD_ERROR, {
      follow: true,
    });
    return `${device(deviceMajor, deviceMinor)}:${inode}`;
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

/** A device as one number, as stat(2) gives it (makedev(3)). */
function device(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xffff_f000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & ~0xffn) << 12n) | (b & 0xffn);
}
