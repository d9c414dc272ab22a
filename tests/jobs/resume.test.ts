// A file-system backup is cut at some byte, by either side or by the loss of its channel, and run
// again: it does not send what the server has, and what it publishes is whole.

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "bun:test";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { RESUME_VERSION } from "../../transport/flow/mod.ts";
import { SeededRandom } from "../simulation/seeded_random.ts";
import { shell } from "../unit/agent/application/fixture.ts";
import { IncrementalBed } from "../unit/agent/incremental/incremental_bed.ts";
import { findings, restore, settle } from "./data_jobs.ts";
import { runDrill } from "./drill_bed.ts";
import { JobBed, type JobOutcome } from "./job_bed.ts";
import { networkTo } from "./older_client.ts";

const MIB = 1024 * 1024;
const LIMIT_MS = 60_000;
const FRAME_BYTES = 64 * 1024;
const seed = Number(process.env["RESUME_SEED"] ?? Date.now() % 2 ** 31);

type How = "client" | "server" | "storage";

/** Ends the job in this way once so many large writes were made on the storage. */
function cutAfter(bed: JobBed, how: How, writes: number): void {
  let left = writes;
  const [medium] = bed.stp.media;
  if (medium === undefined) throw new Error("one volume at least");
  medium.onWrite = (_, lengthBytes) => {
    if (lengthBytes > FRAME_BYTES) left -= 1;
    if (left > 0) return;
    medium.onWrite = () => {};
    if (how !== "storage") return bed.cancel(how);
    for (const path of bed.stp.paths) path.cut = true;
  };
}

/** A source of files of all sizes. @returns the bytes of each */
async function makeData(bed: JobBed): Promise<readonly number[]> {
  mkdirSync(bed.path("data"));
  const sizes = [6, 1, 9, 0.5, 4, 0.1, 3].map((size) => Math.floor(size * MIB));
  sizes.forEach((bytes, at) => bed.writeFile(`data/file${at}`, bytes));
  await settle();
  return sizes;
}

function backup(bed: JobBed, id: string, full = false) {
  const paths = [bed.path("data")];
  return bed.run({ type: "backup", backup: id, paths, full, ...EVERYTHING });
}

/** A backup that is cut by its client when some MiB of it are here. */
async function cutBackup(bed: JobBed, id: string): Promise<void> {
  cutAfter(bed, "client", 50);
  const [server] = await backup(bed, id, true);
  expect([server.result, moved(server) > 5 * MIB]).toEqual([null, true]);
}

function media(bed: JobBed): string[] {
  return readdirSync(bed.path("vault/media")).sort();
}

async function expectWhole(bed: JobBed, id: string): Promise<void> {
  expect(findings(bed, id)).toBe("none");
  const [server, client] = await restore(bed, id);
  expect([server.error, client.error]).toEqual([null, null]);
  execFileSync("diff", ["-r", bed.path("data"), bed.path("restored", bed.path("data"))]);
}

function moved({ channels }: JobOutcome): number {
  return channels.network + channels.storage;
}

describe("a backup that was cut", () => {
  for (const how of ["client", "server", "storage"] as const) {
    test(`goes on after a cut by the ${how}, seed ${seed}`, async () => {
      const random = new SeededRandom(seed);
      await using bed = await JobBed.open(how === "storage" ? { channel: "storage-only" } : {});
      const sizes = await makeData(bed);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      cutAfter(bed, how, 30 + random.below(50));
      const [first] = await backup(bed, "web01-1");
      expect([first.result, media(bed)]).toEqual([null, ["web01-1.partial"]]);
      for (const path of bed.stp.paths) path.cut = false;

      const [second, client] = await backup(bed, "web01-2");
      expect([second.error, client.error]).toEqual([null, null]);
      expect(media(bed)).toEqual(["web01-2.tar.zst"]);
      const kept = second.result?.resumed?.bytes ?? 0;
      expect(second.result).toMatchObject({ status: "ok", files: sizes.length + 1, bytes: total });
      // What is in flight is lost, and what the client holds.
      expect(kept > MIB).toBe(true);
      expect(moved(second) < total - kept + MIB).toBe(true);
      await expectWhole(bed, "web01-2");

      const [third] = await backup(bed, "web01-3");
      expect(third.result).toMatchObject({ status: "ok", files: 0, bytes: 0 });
      expect(third.result).not.toHaveProperty("resumed");
    }, LIMIT_MS);
  }

  test(
    "begins anew where its client encrypts now, and leaves nothing when it is encrypted",
    async () => {
      await using bed = await JobBed.open();
      await makeData(bed);
      await cutBackup(bed, "web01-1");
      const recipient = await identityToRecipient(await generateX25519Identity());
      bed.encryption = { recipients: [recipient], identityFile: null };
      const [second, client] = await backup(bed, "web01-2");
      expect([second.error, client.error]).toEqual([null, null]);
      expect(second.warnings.join()).toContain("not_resumed");
      expect(second.result).not.toHaveProperty("resumed");
      expect([media(bed), findings(bed, "web01-2")]).toEqual([["web01-2.tar.zst"], "none"]);

      await cutBackup(bed, "web01-3");
      expect(media(bed)).toEqual(["web01-2.tar.zst"]);
    },
    LIMIT_MS,
  );

  test("begins anew where its client is of an earlier version", async () => {
    await using bed = await JobBed.open();
    await makeData(bed);
    await cutBackup(bed, "web01-1");
    bed.network = networkTo(RESUME_VERSION - 1);
    const [second] = await backup(bed, "web01-2");
    expect([second.error, second.warnings]).toEqual([null, []]);
    expect(second.result).not.toHaveProperty("resumed");
    expect(media(bed)).toEqual(["web01-2.tar.zst"]);
    await expectWhole(bed, "web01-2");
  }, LIMIT_MS);

  test("is right by a drill when it was gone on with, what it takes back included", async () => {
    using bed = new IncrementalBed(8 * 1024);
    shell(
      bed.source,
      "mkdir d e; seq 3000 > d/a; seq 3000 > d/b; seq 40000 > e/large; ln d/a e/link",
    );
    bed.cutBackUp({ settled: true }, { records: 20, share: null });
    shell(bed.source, "rm -r d; seq 10 > d; seq 10 >> e/new");
    expect(bed.backUp({ settled: true }).kept).not.toBeNull();
    const { error, drill, warnings } = await runDrill(bed);
    expect([error, warnings]).toEqual([null, []]);
    expect(drill).toMatchObject({ status: "ok", differences: 0, unproved: 0, entries: 6 });
  });
});
