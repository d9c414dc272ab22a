// A host of the campaign of array_campaign.test.ts: ARGV array directory, notes, writer, seed.
// Writes its own records, verifies everybody's, runs the disk director, until it is killed. Ends by
// itself only when something is wrong, with a message.

import { attachArray, destageArray } from "../../../emulator/mod.ts";
import { currentRuntime } from "../../../transport/runtime/current_runtime.ts";
import {
  fillRecord,
  ownerOf,
  RECORD,
  RECORDS,
  RECORDS_PER_VOLUME,
  restOfRun,
  verifyRecord,
  WriteNotes,
} from "./campaign_records.ts";
import { seededRandom } from "./temporary_array.ts";

/** Requests between two turns of the event loop, which the disk director needs. */
const BATCH = 64;

const [path = "", notesPath = "", writer = "0", seed = "0"] = process.argv.slice(2);
const parts = await currentRuntime();
const random = seededRandom(Number(seed));
const host = attachArray(path, { hostName: `writer ${writer}` }, parts);
const volumes = [host.volume("v0"), host.volume("v1")];
const notes = new WriteNotes(notesPath);
const own = Array.from({ length: RECORDS }, (_, record) => record)
  .filter((record) => ownerOf(record) === Number(writer));

function write(first: number, count: number): void {
  const words = new Uint32Array(count * RECORD / 4);
  const counts: number[] = [];
  for (let at = 0; at < count; at++) {
    const next = notes.read(first + at).begun + 1;
    counts.push(next);
    notes.note(first + at, "begun", next);
    fillRecord(words.subarray(at * RECORD / 4, (at + 1) * RECORD / 4), first + at, next);
  }
  const volume = volumes[Math.floor(first / RECORDS_PER_VOLUME)];
  volume?.write(first % RECORDS_PER_VOLUME * RECORD, new Uint8Array(words.buffer));
  for (const [at, next] of counts.entries()) notes.note(first + at, "done", next);
}

// What the one before us had in flight is a mix: from the first write on it is one thing again.
for (const record of own) {
  const { begun, done } = notes.read(record);
  if (begun !== done) write(record, 1);
}
void host.runDiskDirector({ signal: new AbortController().signal });
process.stdout.write("ready\n");
for (;;) {
  for (let request = 0; request < BATCH; request++) {
    const kind = random(100);
    if (kind < 50) {
      const first = own[random(own.length)] ?? 0;
      write(first, 1 + random(restOfRun(first)));
    } else verifyRecord(volumes, notes, random(RECORDS));
  }
  if (random(50) === 0) destageArray(path, parts);
  await parts.clock.yield();
}
