// A host in a process of its own, told by lines on its standard input what to do: ARGV array
// directory. Says "ready" when it is attached, and "done" after each task:
//
//   write CYLINDER COUNT   one record of the cylinder, again and again
//   roam WHICH COUNT       writes and reads back records of its own of 16 tracks, and others
//   direct                 runs the background pass of the disk director until it is killed

import { createInterface } from "node:readline";
import { attachArray } from "../../../emulator/mod.ts";
import { currentRuntime } from "../../../transport/runtime/current_runtime.ts";

const RECORD = 4096;
const TRACK = 65536;
const MIB = 2 ** 20;

const parts = await currentRuntime();
const host = attachArray(process.argv[2] ?? "", { hostName: `host ${process.pid}` }, parts);
const volume = host.volume("v0");
const bytes = new Uint8Array(RECORD);
const found = new Uint8Array(RECORD);

function write(cylinder: number, count: number): void {
  for (let n = 0; n < count; n++) volume.write(cylinder * MIB, bytes);
}

function roam(which: number, count: number): void {
  for (let n = 0; n < count; n++) {
    const at = (n * 7 % 16) * TRACK + which * RECORD;
    bytes.fill(n % 251);
    volume.write(at, bytes);
    volume.read(at, found);
    if (found[0] !== bytes[0]) throw new Error(`write ${n} was lost`);
    volume.read((n * 11 % 16) * TRACK + 8 * RECORD, found);
  }
}

process.stdout.write("ready\n");
for await (const line of createInterface({ input: process.stdin })) {
  const [task, first, second] = line.split(" ");
  if (task === "direct") {
    void host.runDiskDirector({ signal: new AbortController().signal });
    process.stdout.write("directing\n");
    continue;
  }
  if (task === "write") write(Number(first), Number(second));
  else roam(Number(first), Number(second));
  process.stdout.write("done\n");
}
host.close();
