// The storage dies while a file-system job moves its data through it: the job goes on over the
// network, whichever host loses it and whenever, and what is published or restored is whole.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { Conn } from "../../transport/conn.ts";
import { isFallbackReason } from "../../transport/flow/mod.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { proveMedium } from "../../transport/stp/mod.ts";
import { VaultReader } from "../../agent/vault/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { BACKUP, findings, restore } from "./data_jobs.ts";
import { JobBed, type JobBedOptions, type JobOutcome } from "./job_bed.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";

const MIB = 1024 * 1024;
const FILE_BYTES = 24 * MIB;
const LIMIT_MS = 60_000;

type Host = "server" | "client" | "both";
/** How many data writes the storage takes before it dies: none, some, most of them. */
const POINTS = [0, 1, 37, 80] as const;

/** Cuts the path of a host, or of both, after so many frames were written on the storage. */
function cutAfter(bed: JobBed, host: Host, frames: number): void {
  let written = 0;
  const [medium] = bed.stp.media;
  const [server, client] = bed.stp.paths;
  if (medium === undefined) throw new Error("one volume at least");
  medium.onWrite = (_, lengthBytes) => {
    if (lengthBytes > 64 * 1024) written += 1;
    if (written <= frames) return;
    server.cut ||= host !== "client";
    client.cut ||= host !== "server";
  };
}

function backup(bed: JobBed) {
  const paths = [bed.path("data")];
  return bed.run({ type: "backup", backup: BACKUP, paths, ...EVERYTHING, full: true });
}

function published(bed: JobBed): (string | null)[] {
  using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
  return reader.backups().map((one) => one.fallback);
}

/** Both sides ended well, with one reason that is of the list. */
function expectFellBack([server, client]: readonly [JobOutcome, JobOutcome]): void {
  expect([server.error, client.error]).toEqual([null, null]);
  expect([server.result?.status, client.result?.status]).toEqual(["ok", "ok"]);
  expect(server.fallback).not.toBe(null);
  expect(client.fallback).toEqual(server.fallback);
  expect(isFallbackReason(server.fallback?.reason)).toBe(true);
  expect(server.channels.network > MIB).toBe(true);
}

async function open(options: JobBedOptions = {}): Promise<JobBed> {
  const bed = await JobBed.open(options);
  bed.writeFile("data", FILE_BYTES);
  return bed;
}

for (const host of ["server", "client", "both"] as const) {
  describe(`the storage dies for ${host} in mid-job`, () => {
    for (const frames of POINTS) {
      test(`a backup goes on over the network, after ${frames} frames`, async () => {
        await using bed = await open();
        cutAfter(bed, host, frames);
        const ends = await backup(bed);
        expectFellBack(ends);
        expect(findings(bed)).toBe("none");
        expect(published(bed)).toEqual([ends[0].fallback?.reason ?? ""]);
        const again = await restore(bed);
        expect(again.map((one) => one.result?.status)).toEqual(["ok", "ok"]);
        expect(
          readFileSync(bed.path("restored", bed.path("data")))
            .equals(readFileSync(bed.path("data"))),
        ).toBe(true);
      }, LIMIT_MS);

      test(`a restore goes on over the network, after ${frames} frames`, async () => {
        await using bed = await open();
        expect((await backup(bed))[0].fallback).toBe(null);
        cutAfter(bed, host, frames);
        expectFellBack(await restore(bed));
        expect(
          readFileSync(bed.path("restored", bed.path("data")))
            .equals(readFileSync(bed.path("data"))),
        ).toBe(true);
      }, LIMIT_MS);
    }

    test("storage-only fails with the reason and publishes nothing", async () => {
      await using bed = await open({ channel: "storage-only" });
      cutAfter(bed, host, 37);
      const [server, client] = await backup(bed);
      for (const { error, fallback } of [server, client]) {
        expect(error?.message).toContain("Cannot use the storage channel");
        expect(fallback).toBe(null);
      }
      expect(published(bed)).toEqual([]);
    }, LIMIT_MS);
  });
}

describe("the client's set-up fails after the server's has succeeded", () => {
  const clientProof = async (conn: Conn) => {
    await proveMedium(conn);
    throw new AgentError("volume", "Cannot read volume v0: it is gone");
  };

  test("a backup goes over the network", async () => {
    await using bed = await open({ clientProof });
    const ends = await backup(bed);
    expectFellBack(ends);
    expect(ends[0].fallback?.reason).toBe("client_volume_failed");
    expect(findings(bed)).toBe("none");
  }, LIMIT_MS);

  test("a restore goes over the network", async () => {
    await using bed = await open({ clientProof });
    await backup(bed);
    const ends = await restore(bed);
    expectFellBack(ends);
    expect(ends[0].fallback?.reason).toBe("client_volume_failed");
  }, LIMIT_MS);

  test("storage-only fails on both sides", async () => {
    await using bed = await open({ clientProof, channel: "storage-only" });
    for (const { error } of await backup(bed)) {
      expect(error?.message).toContain("Cannot use the storage channel");
    }
    expect(published(bed)).toEqual([]);
  }, LIMIT_MS);
});

test("network-only never uses the storage and has no reason", async () => {
  await using bed = await open({ channel: "network-only" });
  const ends = await backup(bed);
  for (const { error, fallback, channels } of ends) {
    expect([error, fallback, channels.storage]).toEqual([null, null, 0]);
  }
  expect(published(bed)).toEqual([null]);
});
