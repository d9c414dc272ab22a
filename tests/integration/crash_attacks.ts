// What the crash test does in a round: a job, who is killed in it, and when; and the content that
// each published backup must give back.

import { needTool } from "../../scripts/demonstration/run_tool.ts";
import type { BackupView, JobRequest } from "../../agent/control/daemon.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import type { Bed } from "./bed.ts";
import { makeRandomFiles } from "./odd_tree.ts";
import { readDatabase } from "./sqlite_writer.ts";

/** Milliseconds: jobs here take about this long, so that some rounds hit each part of them. */
const MOMENT_MS_MAX = 700;

/** Bytes that an incremental backup finds new: its job then takes a while, too. */
const ADDED = { count: 2, bytes: 8 * 1024 * 1024 };

type Victims = readonly ("server" | "client")[];

export const SIDES = ["server", "client"] as const;
const VICTIMS: readonly [Victims, ...Victims[]] = [["server"], ["client"], SIDES];

const KINDS = [
  "full",
  "incremental",
  "database",
  "restore",
  "expire",
  "verify",
  "drill",
  "rebuild",
] as const;
export type AttackKind = typeof KINDS[number];

export interface Attack {
  readonly kind: AttackKind;
  readonly side: "server" | "client";
  readonly request: JobRequest;
  readonly victims: Victims;
  readonly momentMs: number;
}

/** @param next numbers from 0 to 1 */
export function chooseAttack(
  bed: Bed,
  next: () => number,
  { first, target }: { readonly first: string; readonly target: string },
): Attack {
  const pick = <T>(list: readonly [T, ...T[]]): T =>
    list[Math.floor(next() * list.length)] ?? list[0];
  const kind = pick(KINDS);
  return {
    kind,
    request: requestOf(kind, bed, { first, target }),
    side: kind === "database" ? "client" : "server",
    victims: pick(VICTIMS),
    momentMs: next() * MOMENT_MS_MAX,
  };
}

function requestOf(
  kind: AttackKind,
  bed: Bed,
  { first, target }: { readonly first: string; readonly target: string },
): JobRequest {
  const files = {
    kind: "backup-filesystem",
    client: "web01",
    paths: [bed.path("data")],
    ...EVERYTHING,
  } as const;
  switch (kind) {
    case "full":
      return { ...files, full: true };
    case "incremental":
      return { ...files, full: false };
    case "database":
      return { kind: "backup-database", database: "app" };
    case "restore":
      return {
        kind: "restore-filesystem",
        backup: first,
        target,
        client: null,
        include: [],
        overwrite: "refuse",
        dryRun: false,
      };
    case "expire":
      return { kind: "expire", dryRun: false };
    case "verify":
      return { kind: "verify", backups: [], data: true, subset: null };
    case "drill":
      return {
        kind: "drill",
        backup: first,
        sample: null,
        seed: null,
        scratch: null,
        identityFile: null,
      };
    case "rebuild":
      return { kind: "rebuild-catalog" };
  }
}

/** Gives an incremental backup something to store, and an expiry something to remove. */
export async function prepare(bed: Bed, { kind }: Attack, round: number): Promise<void> {
  if (kind === "incremental") await makeRandomFiles(bed.path("data", `added${round}`), ADDED);
  if (kind !== "expire") return;
  await bed.job("server", "backup", "filesystem", "--client", "web01", "--full", bed.path("data"));
  await bed.job("client", "backup", "database", "app");
}

/** What the backups of the folder must give back: its files, as they were when each was listed. */
export class PublishedContent {
  readonly #bed: Bed;
  readonly #sums = new Map<string, string>();

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  /** Looks at what is listed now; the folder has not changed since the new ones were made. */
  async look(): Promise<readonly Partial<BackupView>[]> {
    const { lines } = await this.#bed.call(["backups", "--json"], "server");
    const backups = lines.map((line): Partial<BackupView> => line);
    const sums = await sumsOf(this.#bed.path("data"));
    for (const { backup = "" } of backups) {
      if (!this.#sums.has(backup)) this.#sums.set(backup, sums);
    }
    return backups;
  }

  /** Restores one of the published backups. @returns what is wrong with it, or "nothing" */
  async restoreAny(next: () => number, target: string): Promise<string> {
    const backups = await this.look();
    const chosen = backups[Math.floor(next() * backups.length)];
    const backup = chosen?.backup ?? "";
    if (chosen?.kind === "filesystem") {
      await this.#bed.job("server", "restore", backup, "--target", target);
      const found = await sumsOf(`${target}${this.#bed.path("data")}`);
      return found === this.#sums.get(backup) ? "nothing" : `${backup} restores other files`;
    }
    const how = ["--database", "app", "--target", target];
    await this.#bed.job("client", "restore", backup, ...how);
    const [original, restored] = [this.#bed.path("app.db"), `${target}/app.db`].map(readDatabase);
    return JSON.stringify(restored) === JSON.stringify(original)
      ? "nothing"
      : `${backup} restores another database`;
  }
}

/** Checksum and name of each file below a folder. */
async function sumsOf(folder: string): Promise<string> {
  const script = 'cd "$1" && find . -type f -print0 | sort -z | xargs -0r md5sum';
  return new TextDecoder().decode(await needTool(["sh", "-c", script, "sh", folder]));
}
