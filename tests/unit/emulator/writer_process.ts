// A host that writes to volume v0 until it is killed: ARGV array directory, number of records.
//
// Write n fills record n mod R with n; so whoever comes later can tell what every record must hold.
// It goes on after the highest n that it finds. Every so often it reads a record back, over a range
// that gets other tracks evicted, so that kills also hit staging and destaging.

import { attachArray } from "../../../emulator/mod.ts";
import { currentRuntime } from "../../../transport/runtime/current_runtime.ts";

const RECORD = 4096;

const parts = await currentRuntime();
const [path = "", records = "0"] = process.argv.slice(2);
const host = attachArray(path, { hostName: `writer ${process.pid}` }, parts);
const volume = host.volume("v0");
const count = Number(records);
const words = new Uint32Array(RECORD / 4);
const bytes = new Uint8Array(words.buffer);

let last = 0;
for (let record = 0; record < count; record++) {
  volume.read(record * RECORD, bytes);
  last = Math.max(last, words[0] ?? 0);
}
process.stdout.write("ready\n");
const other = new Uint8Array(RECORD);
for (let n = last + 1;; n++) {
  words.fill(n);
  volume.write((n % count) * RECORD, bytes);
  if (n % 3 === 0) volume.read((Math.imul(n, 7919) >>> 0) % count * RECORD, other);
}
