// The folder of the backup benchmark: the data, the peers' archives, what is restored. Disposing
// removes it and ends the agent's daemons.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { needTool } from "../../demonstration/run_tool.ts";
import { AgentPeer } from "./agent_peer.ts";
import type { PeerName, SetName } from "./backup_figures.ts";
import {
  FILE_SYSTEM_BLOCK_BYTES,
  INODES_FREE_MS,
  LARGE_BYTES,
  PROCESSES_BYTES,
  SPACE_FACTOR,
} from "./limits.ts";
import { makeLargeFiles, makeSmallFiles } from "./source_data.ts";
import { type BackupPeer, borgPeer, resticPeer, tarPeer } from "./stock_peers.ts";

export interface BedOptions {
  /** The command that runs the agent. */
  readonly agent: readonly string[];
  readonly parent: string;
  readonly files: number;
  readonly big: number;
  readonly smallBytes: number;
  /** Backups find nothing of the data in the kernel's caches. */
  readonly isCold: boolean;
}

export class BackupBed implements AsyncDisposable {
  readonly folder: string;
  readonly agent: AgentPeer;
  readonly #options: BedOptions;
  readonly #peers: ReadonlyMap<PeerName, BackupPeer>;

  /** @throws Error when there is not enough space */
  constructor(options: BedOptions) {
    const { files, big, smallBytes } = options;
    const fileBytes = Math.max(smallBytes, FILE_SYSTEM_BLOCK_BYTES);
    const dataBytes = files * fileBytes + big * LARGE_BYTES;
    const { bavail, bsize } = statfsSync(options.parent);
    if (bavail * bsize < SPACE_FACTOR * dataBytes) {
      const need = (SPACE_FACTOR * dataBytes / 1e9).toFixed(1);
      throw new Error(`Cannot measure below "${options.parent}": need ${need} GB free`);
    }
    this.#options = options;
    this.folder = mkdtempSync(join(options.parent, "bench-backup-"));
    this.agent = new AgentPeer(options.agent, this.folder);
    this.#peers = new Map<PeerName, BackupPeer>([
      ["agent", this.agent],
      ["tar", tarPeer(this.folder)],
      ["restic", resticPeer(this.folder)],
      ["borg", borgPeer(this.folder)],
    ]);
  }

  get #targets(): string {
    return join(this.folder, "restored");
  }

  /** The data sets that are not empty. */
  get sets(): readonly SetName[] {
    const { files, big } = this.#options;
    const sets: SetName[] = [];
    if (files > 0) sets.push("small");
    if (big > 0) sets.push("large");
    return sets;
  }

  get isCold(): boolean {
    return this.#options.isCold;
  }

  source(set: SetName): string {
    return join(this.folder, "data", ...(set === "all" ? [] : [set]));
  }

  makeData(): void {
    const { files, big, smallBytes } = this.#options;
    mkdirSync(this.source("all"));
    if (files > 0) makeSmallFiles(this.source("small"), files, smallBytes);
    if (big > 0) makeLargeFiles(this.source("large"), big);
  }

  peer(name: PeerName): BackupPeer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(`there is no peer "${name}"`);
    return peer;
  }

  /**
   * Writes out what earlier runs left, and touches as much memory as the next one may take: that of
   * a virtual machine may have gone back to its host while it was free, which gives it slowly.
   */
  async settle(set: SetName): Promise<void> {
    await needTool(["sync"]);
    const wanted = sizeOf(this.source(set)).bytes + PROCESSES_BYTES;
    const bytes = Math.floor(Math.min(wanted, Deno.systemMemoryInfo().available / 2));
    await needTool([
      "dd",
      "if=/dev/zero",
      "of=/dev/null",
      `bs=${bytes}`,
      "count=1",
      "iflag=fullblock",
    ]);
  }

  /** Reads the data into the cache. */
  async readIn(set: SetName): Promise<void> {
    const read = 'find "$1" -type f -print0 | xargs -0 cat > /dev/null';
    await needTool(["sh", "-c", read, "sh", this.source(set)]);
  }

  /** Empties the kernel's caches. @throws Error for others than root */
  async dropCaches(): Promise<void> {
    await needTool(["sh", "-c", "sync && echo 3 > /proc/sys/vm/drop_caches"]);
  }

  /** A new folder to restore into; `clearTargets` removes it. */
  makeTarget(): string {
    mkdirSync(this.#targets, { recursive: true });
    return mkdtempSync(join(this.#targets, "tree-"));
  }

  /** Removes what was restored, and waits until that slows nobody down any more. */
  async clearTargets(): Promise<void> {
    this.drop(this.#targets);
    await setTimeout(INODES_FREE_MS);
  }

  drop(path: string): void {
    rmSync(path, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    this.drop(this.folder);
  }
}

/** Count and bytes of the regular files below a folder. */
export function sizeOf(folder: string): { readonly files: number; readonly bytes: number } {
  let [files, bytes] = [0, 0];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files += 1;
    bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return { files, bytes };
}
