// A vault on a small disk that is filled up to any position before jobs run: each job ends well or
// says that there is no space, what was published stays whole, nothing broken is published, and
// once there is room the next opening clears up and the next backup works.
//
// The seed is printed; VAULT_SEED repeats it, VAULT_POSITIONS makes a run longer.

import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "bun:test";
import { rebuildCatalog, type Vault, VaultExpirer } from "../../../../agent/vault/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { picture } from "../application/fixture.ts";
import { IncrementalBed, runToEnd } from "../incremental/incremental_bed.ts";
import { RandomTree } from "../incremental/random_tree.ts";
import { files, random as chance } from "../media/media_fixture.ts";
import { rules } from "./random_retention.ts";
import { SmallDisk, withSmallDisk } from "./small_disk.ts";
import { codeOf, openVault, publish } from "./vault_fixture.ts";

const SEED = Number(process.env["VAULT_SEED"] ?? 3);
const POSITIONS = Number(process.env["VAULT_POSITIONS"] ?? 6);
const TIMEOUT_MS = 3_600_000;

/** Room for a dozen backups, and as much again that the reserve asks for. */
const DISK = "20m";
const PAGE = 4096;
/** Free pages before the jobs: the larger half of what the largest of them needs, or less. */
const PAGES_MAX = 64;
const CONTENT_BYTES = 200_000;

const JOBS = ["full", "incremental", "incremental", "expire", "verify", "rebuild"] as const;
type Job = typeof JOBS[number];

/** Jobs on a full disk in the order of one run, and what became of them. */
class FullVault implements Disposable {
  readonly bed = new IncrementalBed(8 * 1024);
  readonly random = new SeededRandom(SEED);
  readonly tree = new RandomTree(this.bed.source, this.random);
  readonly disk = SmallDisk.mount(this.bed.vault, DISK);
  /** The tree of each published backup's time. */
  readonly trees = new Map<string, string>();
  /** Of backups that failed: one whose file could not be removed is adopted later. */
  readonly failed = new Map<string, string>();
  readonly log: string[] = [];
  readonly counts = new Map<string, number>();

  constructor() {
    this.tree.grow(15);
    this.bed.openVault().close();
  }

  /** Runs a job, which ends well or for want of space. */
  run(job: Job, vault: Vault): void {
    let outcome = "ok";
    try {
      this.#perform(job, vault);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      outcome = error.code;
      expect([job, error.code, error.message]).toEqual([
        job,
        "no_space",
        expect.stringMatching(/^Cannot /),
      ]);
      expect(error.hint).toContain("Free space");
    }
    this.#note(job, outcome);
    if (vault.trouble === null) this.expectListed(vault);
  }

  #note(job: string, outcome: string): void {
    const name = `${job} ${outcome}`;
    this.log.push(name);
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  #perform(job: Job, vault: Vault): void {
    if (job === "expire") return this.expire();
    if (job === "verify") return this.verify();
    if (job === "rebuild") return this.rebuild(vault);
    this.backUp(job === "full");
  }

  backUp(full: boolean): void {
    const tree = picture(this.bed.source);
    try {
      const { backup } = this.bed.backUp({ full });
      this.trees.set(backup.backup, tree);
    } catch (error) {
      this.failed.set(this.bed.lastId, tree);
      throw error;
    }
  }

  expire(): void {
    const place = { directory: this.bed.vault, files, random: chance };
    using expirer = VaultExpirer.open(place);
    const config = { general: rules({ last: 2 }), clients: [] };
    const items = runToEnd(expirer.expire(config, { dryRun: false }));
    for (const { fact, action } of items) {
      if (action === "expire") this.trees.delete(fact.backup);
    }
  }

  verify(): void {
    using reader = this.bed.reader();
    for (const { backup } of reader.backups()) {
      expect([this.log, backup, this.bed.findings(backup)]).toEqual([this.log, backup, []]);
    }
  }

  rebuild(vault: Vault): void {
    let isRunning = true;
    vault.giveUpCatalog(() => isRunning);
    try {
      const steps = rebuildCatalog({ directory: this.bed.vault, files });
      for (const { adoption } of steps) {
        expect([this.log, adoption.error]).toEqual([this.log, null]);
      }
    } finally {
      isRunning = false;
    }
  }

  /** What is published is listed, and nothing else but a failed backup that became visible. */
  expectListed(vault: Vault): void {
    const listed = vault.backups().map(({ backup }) => backup);
    for (const backup of listed) {
      const tree = this.failed.get(backup);
      if (tree !== undefined) this.trees.set(backup, tree);
    }
    expect([this.log, listed.toSorted()]).toEqual([this.log, [...this.trees.keys()].sort()]);
  }

  /** Everything published restores; nothing else lies in the vault. */
  expectSound(vault: Vault): void {
    expect([this.log, vault.recovery.unreadable]).toEqual([this.log, []]);
    expect([this.log, vault.trouble?.message]).toEqual([this.log, undefined]);
    this.expectListed(vault);
    this.verify();
    for (const [backup, tree] of this.trees) {
      using restored = this.bed.restore(backup);
      expect([this.log, backup, restored.lost]).toEqual([this.log, backup, []]);
      expect([this.log, backup, picture(restored.path)]).toEqual([this.log, backup, tree]);
    }
    const names = readdirSync(`${this.bed.vault}/media`);
    const needed = names.filter((name) => name.endsWith(".expired"))
      .map((name) => name.slice(0, -".expired".length));
    const media = [...this.trees.keys(), ...needed].map((backup) => `${backup}.tar.zst`);
    const marks = needed.map((backup) => `${backup}.expired`);
    const kept = vault.recovery.keptPartial.map((backup) => `${backup}.partial`);
    expect([this.log, names.sort()]).toEqual([this.log, [...media, ...marks, ...kept].sort()]);
    const others = readdirSync(this.bed.vault).filter((name) => name.endsWith(".new"));
    expect([this.log, others]).toEqual([this.log, []]);
  }

  [Symbol.dispose](): void {
    this.disk?.[Symbol.dispose]();
    this.bed[Symbol.dispose]();
  }
}

/** Jobs on a disk with so many free pages, the vault opened before it was filled or after. */
function fillAndRun(full: FullVault, disk: SmallDisk): void {
  const { bed, random, tree } = full;
  tree.change(1 + random.below(8));
  rmSync(`${bed.source}/grows`, { recursive: true, force: true });
  writeFileSync(`${bed.source}/grows`, random.bytes(random.below(CONTENT_BYTES)));
  const pages = random.chance(0.2) ? 0 : random.below(PAGES_MAX);
  const isOpen = random.chance(0.7);
  const jobs = Array.from({ length: 1 + random.below(3) }, () => random.pick(JOBS));
  full.log.push(`${pages} pages, vault ${isOpen ? "open" : "shut"}`);
  const early = isOpen ? bed.openVault() : null;
  const free = disk.fill(pages * PAGE);
  try {
    using vault = early ?? bed.openVault();
    for (const job of jobs) full.run(job, vault);
  } finally {
    free();
  }
}

describe("rebuildCatalog() on a full disk", () => {
  test("makes the whole catalog or leaves the old one, whatever is free", async () => {
    await withSmallDisk("4m", (place, fill) => {
      openVault(place).close();
      for (const backup of ["a", "b"]) publish(place, { label: { backup } });
      const outcomes = new Set<string>();
      for (let pages = 0; pages < 64; pages += 2) {
        const free = fill(pages * PAGE);
        outcomes.add(codeOf(() => [...rebuildCatalog({ directory: place, files })]));
        expect(readdirSync(place).filter((name) => name.includes(".new"))).toEqual([]);
        free();
        using vault = openVault(place);
        expect([pages, vault.trouble?.message ?? null]).toEqual([pages, null]);
        expect([vault.recovery.adopted, vault.recovery.unreadable]).toEqual([[], []]);
        expect(vault.backups().map(({ backup }) => backup)).toEqual(["a", "b"]);
      }
      expect([...outcomes].sort()).toEqual(["no_space", "nothing thrown"]);
    });
  });

  test("leaves a vault that says what is wrong, and that works once there is space", async () => {
    await withSmallDisk("4m", (place, fill) => {
      using vault = openVault(place);
      publish(place, { label: { backup: "a" } });
      let isRunning = true;
      vault.giveUpCatalog(() => isRunning);
      const free = fill(0);
      expect(codeOf(() => [...rebuildCatalog({ directory: place, files })])).toBe("no_space");
      isRunning = false;
      for (let asked = 0; asked < 2; asked++) {
        expect(codeOf(() => vault.backups())).toBe("no_space");
        expect(vault.trouble?.code).toBe("no_space");
      }
      free();
      expect(vault.backups().map(({ backup }) => backup)).toEqual(["a"]);
      expect(vault.trouble).toBe(null);
    });
  });
});

describe("a vault whose disk becomes full", () => {
  test(`loses nothing at any position, seed ${SEED}`, () => {
    using full = new FullVault();
    const { bed, disk, random } = full;
    if (disk === null) return;
    full.backUp(true);
    for (let position = 0; position < POSITIONS; position++) {
      fillAndRun(full, disk);
      {
        using vault = bed.openVault();
        full.expectSound(vault);
        full.backUp(random.chance(0.3));
        full.expectListed(vault);
        // The reserve is there again: the last byte may go.
        expect(existsSync(`${bed.vault}/reserve`)).toBe(true);
        const free = disk.fill(0);
        expect(files.fileSystem(bed.vault).freeBytes).toBe(0);
        full.expire();
        full.expectListed(vault);
        free();
      }
      using vault = bed.openVault();
      full.expectSound(vault);
    }
    const counts = [...full.counts].sort().map(([what, count]) => `${what} ${count}`).join(", ");
    process.stdout.write(`seed ${SEED}, ${POSITIONS} positions: ${counts}\n`);
  }, TIMEOUT_MS);
});
