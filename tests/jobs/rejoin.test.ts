// The network of a file-system job breaks at any byte and is connected again: the job finishes, on
// whichever channel its data travels, and what is published or restored is whole.
//
// The places of the cuts are made from seeds, which the names of the tests show.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { performances } from "../../agent/control/ladder_plan.ts";
import { SeededRandom } from "../simulation/seeded_random.ts";
import { CutNetwork } from "./cut_network.ts";
import { BACKUP, findings, restore } from "./data_jobs.ts";
import { JobBed, type JobBedOptions, type JobOutcome } from "./job_bed.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";

const MIB = 1024 * 1024;
const FILE_BYTES = 24 * MIB;
/** More than lies in the buffers of a socket: the job runs on both sides when so much was sent. */
const RUNNING_BYTES = 12 * MIB;
const LIMIT_MS = 60_000;

const FIXED_SEEDS = [1, 2, 3, 4, 5];
const FRESH_SEEDS = FIXED_SEEDS.map(() => Math.floor(Math.random() * 2 ** 31));

async function open(options: JobBedOptions): Promise<JobBed> {
  const bed = await JobBed.open(options);
  bed.writeFile("data", FILE_BYTES);
  return bed;
}

function backup(bed: JobBed) {
  return bed.run({
    type: "backup",
    backup: BACKUP,
    paths: [bed.path("data")],
    ...EVERYTHING,
    full: false,
  });
}

/**
 * Both sides ended well, told of each cut and how it ended, and traced each connection. A cut that
 * meets a try to connect again belongs to the one before.
 */
function expectOutlived(ends: readonly [JobOutcome, JobOutcome], cuts: number): void {
  for (const [index, { error, result, network, steps }] of ends.entries()) {
    expect([error, result?.status]).toEqual([null, "ok"]);
    const again = network.filter((one) => one.includes("connected again after")).length;
    expect(network.length).toBe(2 * again);
    expect([again <= cuts, again >= Math.min(cuts, 1)]).toEqual([true, true]);
    // The steps of the client's first connection stay with the bed.
    const [side, first] = index === 0 ? ["server", 1] as const : ["client", 0] as const;
    const own = steps.filter((step) => step.side === side);
    expect(performances("4", own)).toHaveLength(first + again);
  }
}

function expectRestored(bed: JobBed): void {
  const restored = readFileSync(bed.path("restored", bed.path("data")));
  expect(restored.equals(readFileSync(bed.path("data")))).toBe(true);
}

describe("a job whose data is on the network", () => {
  for (const seed of [...FIXED_SEEDS, ...FRESH_SEEDS]) {
    test(`finishes although it is cut three times, with seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      const places = () =>
        [0, 1, 2].map(() => RUNNING_BYTES + random.below(FILE_BYTES - RUNNING_BYTES - MIB))
          .sort((a, b) => a - b);
      await using bed = await open({ channel: "network-only" });
      for (const run of [backup, restore]) {
        const network = bed.network = new CutNetwork(places());
        expectOutlived(await run(bed), network.cuts);
        expect(network.cuts).toBe(3);
      }
      expect(findings(bed)).toBe("none");
      expectRestored(bed);
    }, LIMIT_MS);
  }
});

/** Calls `act` when the storage took so many data writes. */
function atFrame(bed: JobBed, acts: Readonly<Record<number, () => void>>): void {
  let written = 0;
  const [medium] = bed.stp.media;
  if (medium === undefined) throw new Error("one volume at least");
  medium.onWrite = (_, lengthBytes) => {
    if (lengthBytes > 64 * 1024) acts[++written]?.();
  };
}

describe("a job whose data is on the storage", () => {
  for (const run of [backup, restore]) {
    test(`goes on while the network is cut, and finishes: ${run.name}`, async () => {
      await using bed = await open({});
      if (run === restore) expectOutlived(await backup(bed), 0);
      const network = bed.network = new CutNetwork();
      atFrame(bed, { 20: () => network.cut(), 60: () => network.mend() });
      const ends = await run(bed);
      expectOutlived(ends, 1);
      expect(ends.map(({ fallback }) => fallback)).toEqual([null, null]);
      expect(findings(bed)).toBe("none");
      if (run === restore) expectRestored(bed);
    }, LIMIT_MS);

    test(`finishes although the storage dies while the network is cut: ${run.name}`, async () => {
      await using bed = await open({});
      if (run === restore) expectOutlived(await backup(bed), 0);
      const network = bed.network = new CutNetwork();
      const die = () => {
        for (const path of bed.stp.paths) path.cut = true;
        network.mend();
      };
      atFrame(bed, { 20: () => network.cut(), 40: die });
      const ends = await run(bed);
      expectOutlived(ends, 1);
      expect(ends[0].fallback).not.toBe(null);
      expect(ends[1].fallback).toEqual(ends[0].fallback);
      expect(findings(bed)).toBe("none");
      if (run === restore) expectRestored(bed);
    }, LIMIT_MS);
  }
});
