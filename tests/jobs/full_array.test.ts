// A file system that becomes full under the device files of an emulated array while a backup goes
// through it, at a random moment: the backup falls back to the network or says why it cannot, what
// is published is whole, the array is sound, and once there is space all goes through it again.
// Once the writes of a process are refused, once the device files lie on a tmpfs that is filled.
//
// The seed is printed; FULL_SEED repeats it, FULL_MOMENTS makes a run longer.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { VaultReader } from "../../agent/vault/mod.ts";
import {
  attachArray,
  type AttachedArray,
  checkArray,
  createArray,
  destageArray,
} from "../../emulator/mod.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { isFallbackReason } from "../../transport/flow/mod.ts";
import { AgentError } from "../../transport/ground/error.ts";
import { SystemError } from "../../transport/runtime/files.ts";
import type { StgIdentity } from "../../transport/stp/mod.ts";
import { SeededRandom } from "../simulation/seeded_random.ts";
import { SmallDisk } from "../unit/agent/vault/small_disk.ts";
import { type TemporaryArray, temporaryArray } from "../unit/emulator/temporary_array.ts";
import { filesOver } from "../unit/emulator/files_over.ts";
import { watchDevices } from "../unit/emulator/watched_devices.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { openStpBed, type StpBed } from "../unit/transport/stp/stp_bed.ts";
import { BACKUP, findings, restore } from "./data_jobs.ts";
import { JobBed, TIMING } from "./job_bed.ts";

const MIB = 1024 * 1024;
const FILE_BYTES = 12 * MIB;
const LIMIT_MS = 120_000;

/** A cache that is smaller than what is in flight: tracks must go to the devices all the time. */
const SHAPE = { volumes: 2, volumeBytes: 8 * MIB, boards: 2, cacheBytes: MIB / 2 };

/** So many tracks go to the devices in a backup, about; the disk is full after some of them. */
const DESTAGES_MAX = 200;

/** The device files whole, and a little. */
const DISK = "20m";
/** What a backup makes the device files grow by, about: they have holes at first. */
const LEFT_BYTES_MAX = MIB / 2;

const FIXED = [1, 2, 3];
const given = process.env["FULL_SEED"];
const first = Number(given ?? Date.now() % 2 ** 31);
const moments = Number(process.env["FULL_MOMENTS"] ?? 2);
const fresh = Array.from({ length: moments }, (_, index) => first + index);
const seeds = given === undefined ? [...FIXED, ...fresh] : fresh;

/** Kinds of disks, and the moments that each is tried with. */
const DISKS = { "that refuses": seeds, "of a small tmpfs": given === undefined ? FIXED : fresh };
const CASES = Object.entries(DISKS).flatMap(([kind, some]) => some.map((seed) => ({ kind, seed })));

class FullDisk {
  refused = 0;
  /** Tracks that still find room; all when there is space again. */
  #room = Infinity;
  #place: TemporaryArray | null = null;
  #small: SmallDisk | null = null;
  #free: (() => void) | null = null;
  #arrays: AttachedArray[] = [];
  #identity: StgIdentity | undefined;

  /** @returns false when it may not be mounted */
  async open(isMounted: boolean): Promise<boolean> {
    this.#place = await temporaryArray();
    if (isMounted) {
      mkdirSync(this.path);
      this.#small = SmallDisk.mount(this.path, DISK);
      if (this.#small === null) return false;
    }
    createArray(this.path, SHAPE, this.#place.parts);
    return true;
  }

  /** From some moment on there is no space. @returns when that is */
  fill(random: SeededRandom): string {
    if (this.#small === null) {
      this.#room = random.below(DESTAGES_MAX);
      return `after ${this.#room} tracks`;
    }
    const leaveBytes = random.below(LEFT_BYTES_MAX);
    this.#free = this.#small.fill(leaveBytes);
    return `with ${leaveBytes} bytes left`;
  }

  makeRoom(): void {
    this.#room = Infinity;
    this.#free?.();
    this.#free = null;
  }

  get path(): string {
    return this.#place?.path ?? "";
  }

  /** Both hosts attach the array and join the group, as daemons do. */
  async join(): Promise<StpBed> {
    if (this.#place === null) throw new Error("the array was made");
    const { parts } = this.#place;
    const counted = filesOver(parts.files, {
      writeAllAt: (descriptor, offsetBytes, from) => {
        try {
          parts.files.writeAllAt(descriptor, offsetBytes, from);
        } catch (error) {
          this.refused++;
          throw error;
        }
      },
    });
    const watched = watchDevices({ ...parts, files: counted }, ({ operation }) => {
      if (operation !== "destage") return;
      if (--this.#room >= 0) return;
      this.refused++;
      throw new SystemError("ENOSPC", "pwrite", "v0.dev");
    });
    const arrays = ["one", "two"].map((hostName) => attachArray(this.path, { hostName }, watched));
    this.#arrays = arrays;
    const [one, two] = arrays.map((array) => ["v0", "v1"].map((name) => array.volume(name)));
    const { clock, random } = parts;
    const volumes = [one ?? [], two ?? []] as const;
    const identity = this.#identity;
    const bed = await openStpBed({ clock, random, volumes, timing: TIMING, identity });
    this.#identity = bed.identity;
    return bed;
  }

  /** The last one out may find no room for what is in the cache, and says so: it stays there. */
  leave(): void {
    for (const array of this.#arrays.splice(0)) {
      try {
        array.close();
      } catch (error) {
        if (!(error instanceof AgentError) || this.refused === 0) throw error;
        expect([error.code, error.message]).toEqual([
          "no_space",
          expect.stringMatching(/^Cannot destage volume "v[01]": ENOSPC, need space/),
        ]);
      }
    }
  }

  /** What is wrong with the array, which nobody uses now. */
  findings(): readonly unknown[] {
    return this.#place === null ? ["none"] : checkArray(this.path, this.#place.parts);
  }

  /** Writes everything to the devices, which have room. */
  destage(): void {
    if (this.#place !== null) destageArray(this.path, this.#place.parts);
  }

  async close(): Promise<void> {
    try {
      this.leave();
    } finally {
      await this.#place?.dispose(() => this.#small?.[Symbol.dispose]());
    }
  }
}

describe("the disk below an array becomes full in a backup", () => {
  let disk: FullDisk;

  beforeEach(() => {
    disk = new FullDisk();
  });

  afterEach(() => disk.close());

  function backup(bed: JobBed<StpBed>, name: string) {
    const paths = [bed.path("data")];
    return bed.run({ type: "backup", backup: name, paths, ...EVERYTHING, full: true });
  }

  function published(bed: JobBed<StpBed>): string[] {
    using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
    return reader.backups().map((one) => one.backup);
  }

  async function leave(bed: JobBed<StpBed>): Promise<void> {
    await bed.stp.close();
    disk.leave();
  }

  for (const { kind, seed } of CASES) {
    test(`nothing is lost on a disk ${kind}, whatever the moment, seed ${seed}`, async () => {
      if (!await disk.open(kind === "of a small tmpfs")) return;
      const random = new SeededRandom(seed);
      const channel = seed % 2 === 0 ? "storage-only" : "prefer-storage";
      await using bed = new JobBed<StpBed>(await disk.join(), { channel });
      bed.writeFile("data", FILE_BYTES);
      const when = disk.fill(random);
      const [server, client] = await backup(bed, BACKUP);
      const isHit = server.fallback !== null || server.error !== null;
      process.stdout.write(
        `seed ${seed}: full ${when}, ${disk.refused} refused, ${channel}: ` +
          `${server.fallback?.reason ?? server.error?.message ?? "not noticed"}\n`,
      );
      if (channel === "prefer-storage") {
        expect([server.error, server.result?.status]).toEqual([null, "ok"]);
        if (isHit) expect(isFallbackReason(server.fallback?.reason)).toBe(true);
      } else if (isHit) {
        expect(server.error?.message).toContain("Cannot use the storage channel");
        expect(client.error).not.toBe(null);
      }
      expect(published(bed)).toEqual(server.error === null ? [BACKUP] : []);
      if (server.error === null) expect(findings(bed)).toBe("none");

      // The hosts go, and the array keeps what it could not write.
      await leave(bed);
      expect(disk.findings()).toEqual([]);
      disk.makeRoom();
      disk.destage();
      expect(disk.findings()).toEqual([]);

      bed.stp = await disk.join();
      const [again] = await backup(bed, "again");
      expect([again.error, again.fallback, again.result?.status]).toEqual([null, null, "ok"]);
      expect(findings(bed, "again")).toBe("none");
      expect(readdirSync(bed.path("vault", "media")).filter((name) => name.endsWith(".partial")))
        .toEqual([]);
      const back = await restore(bed, "again");
      expect(back.map((one) => one.error)).toEqual([null, null]);
      const restored = readFileSync(bed.path("restored", bed.path("data")));
      expect(restored.equals(readFileSync(bed.path("data")))).toBe(true);
      await leave(bed);
      expect(disk.findings()).toEqual([]);
    }, LIMIT_MS);
  }
});
