// Random histories of backups, full and incremental, pins and expiries, against a model: what is
// kept restores to the tree of its time, by this program and by GNU tar, before and after the
// catalog is made again from the media; what expired stays away; nothing is left that nobody needs.
// Each history prints its seed; EXPIRY_SEED repeats one, EXPIRY_STEPS makes it longer.

import { existsSync, readdirSync, rmSync } from "node:fs";
import process from "node:process";
import { describe, expect, test } from "bun:test";
import type { RetentionConfig } from "../../../../agent/config/mod.ts";
import { VaultExpirer } from "../../../../agent/vault/mod.ts";
import type { ExpiryItem } from "../../../../agent/vault/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { files, picture } from "../application/fixture.ts";
import { IncrementalBed } from "../incremental/incremental_bed.ts";
import { RandomTree } from "../incremental/random_tree.ts";
import { random as bytes } from "../media/media_fixture.ts";
import { rules, seedsOf } from "./random_retention.ts";

const given = process.env["EXPIRY_SEED"];
const seeds = given === undefined ? seedsOf() : [Number(given)];
const steps = Number(process.env["EXPIRY_STEPS"] ?? 8);

/** Each history starts some fifty processes, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

/** Finishes an expiry. */
function expire(bed: IncrementalBed, config: RetentionConfig, dryRun = false) {
  using expirer = VaultExpirer.open({ directory: bed.vault, files, random: bytes });
  const run = expirer.expire(config, { dryRun });
  let step = run.next();
  while (step.done !== true) step = run.next();
  return step.value;
}

const shown = (items: readonly ExpiryItem[]) =>
  items.map(({ fact, action, why, released }) => [fact.backup, action, why, released]);

class History implements Disposable {
  readonly bed = new IncrementalBed(32 * 1024);
  readonly random: SeededRandom;
  readonly tree: RandomTree;
  /** The tree of each listed backup's time. */
  readonly trees = new Map<string, string>();
  readonly pinned = new Set<string>();
  readonly log: string[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.tree = new RandomTree(this.bed.source, this.random);
    this.tree.grow(15);
  }

  backUp(): void {
    this.log.push(...this.tree.change(1 + this.random.below(8)));
    const { backup } = this.bed.backUp({ full: this.random.chance(0.25) });
    this.trees.set(backup.backup, picture(this.bed.source));
    this.log.push(`back up ${backup.level} ${backup.backup}`);
  }

  pin(): void {
    const listed = [...this.trees.keys()];
    const backup = listed[this.random.below(listed.length)];
    if (backup === undefined) return;
    const pinned = this.random.chance(0.6);
    using vault = this.bed.openVault();
    expect(vault.pin(backup, pinned).pinned).toBe(pinned);
    if (pinned) this.pinned.add(backup);
    else this.pinned.delete(backup);
    this.log.push(`${pinned ? "pin" : "unpin"} ${backup}`);
  }

  expire(): void {
    const config = { general: rules({ last: 1 + this.random.below(3) }), clients: [] };
    const planned = expire(this.bed, config, true);
    const items = expire(this.bed, config);
    expect([this.log, shown(items)]).toEqual([this.log, shown(planned)]);
    for (const { fact: { backup }, action } of items) {
      if (action !== "expire") continue;
      expect(this.pinned.has(backup)).toBe(false);
      expect(this.trees.delete(backup)).toBe(true);
      this.log.push(`expire ${backup}`);
    }
    expect(expire(this.bed, config).filter(({ action }) => action === "expire")).toEqual([]);
    for (const { fact: { backup }, released } of items) {
      expect([this.log, backup, existsSync(`${this.bed.vault}/media/${backup}.tar.zst`)])
        .toEqual([this.log, backup, !released]);
    }
  }

  check(): void {
    const listed = this.listed();
    expect([this.log, listed]).toEqual([this.log, [...this.trees.keys()]]);
    using reader = this.bed.reader();
    for (const backup of reader.everyMedia()) {
      const found = [...reader.verify(backup, { data: true, subset: null })].filter(({ type }) =>
        type === "finding"
      );
      expect([this.log, found]).toEqual([this.log, []]);
    }
    for (const [backup, tree] of this.trees) {
      using restored = this.bed.restore(backup);
      expect([this.log, backup, picture(restored.path)]).toEqual([this.log, backup, tree]);
    }
  }

  /** The commands on the label of one backup, which take several processes. */
  replay(): void {
    const [backup, tree] = [...this.trees][this.random.below(this.trees.size)] ?? ["", ""];
    using replayed = this.bed.replay(backup);
    expect([this.log, backup, picture(replayed.path)]).toEqual([this.log, backup, tree]);
  }

  rebuild(): void {
    for (const suffix of ["", "-wal", "-shm"]) {
      rmSync(`${this.bed.vault}/catalog.sqlite${suffix}`, { force: true });
    }
    using vault = this.bed.openVault();
    expect(vault.recovery.unreadable).toEqual([]);
    const pinned = vault.backups().filter((one) => one.pinned).map(({ backup }) => backup);
    expect(pinned.sort()).toEqual([...this.pinned].sort());
  }

  listed(): string[] {
    using vault = this.bed.openVault();
    return vault.backups().map(({ backup }) => backup);
  }

  [Symbol.dispose](): void {
    this.bed[Symbol.dispose]();
  }
}

describe("expire()", () => {
  for (const seed of seeds) {
    test(`keeps every kept tree and nothing else, seed ${seed}`, () => {
      using history = new History(seed);
      history.backUp();
      for (let step = 0; step < steps; step++) {
        const what = history.random.below(10);
        if (what < 6) history.backUp();
        else if (what < 8) history.pin();
        else history.expire();
      }
      history.expire();
      history.check();
      history.replay();
      history.rebuild();
      history.check();
      history.backUp();
      history.expire();
      history.check();
      history.replay();
      // Unpinned and down to one backup of a new line, nothing else is left.
      for (const backup of history.pinned) {
        using vault = history.bed.openVault();
        vault.pin(backup, false);
      }
      const { backup } = history.bed.backUp({ full: true }).backup;
      expire(history.bed, { general: rules({ last: 1 }), clients: [] });
      expect([history.log, readdirSync(`${history.bed.vault}/media`)])
        .toEqual([history.log, [`${backup}.tar.zst`]]);
    }, TIMEOUT_MS);
  }
});
