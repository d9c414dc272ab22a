// The power goes at every call of a publication that changes something, and with it whatever no
// sync covered: the vault opens, and what was published, or reported as published, is whole.

import { rmSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { VaultReader } from "../../../../agent/vault/mod.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { files, withFolder } from "../media/media_fixture.ts";
import { type Loss, PowerLossFiles } from "./power_loss_files.ts";
import { Crash, openVault, publish } from "./vault_fixture.ts";

/** More than the calls of one publication. */
const CALLS_MAX = 60;

/** Whole backups of the vault, opened again. */
function wholeBackups(folder: string): string[] {
  using vault = openVault(folder);
  using reader = VaultReader.open({ directory: folder, files });
  const ids = vault.backups().map(({ backup }) => backup);
  for (const id of ids) {
    const events = [...reader.verify(id, { data: true, subset: null })];
    expect(events.filter(({ type }) => type === "finding")).toEqual([]);
  }
  return ids;
}

/** @returns whether the publication was reported before the power went */
function publishUntil(folder: string, power: PowerLossFiles): boolean {
  try {
    publish(folder, { label: { backup: "new" }, through: power.through() });
    return true;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return false;
  }
}

describe("publish() when the power goes", () => {
  for (const loss of ["all", "none", "some"] as const satisfies readonly Loss[]) {
    test(`keeps what was reported, ${loss} of what no sync covered is lost`, async () => {
      const random = new SeededRandom(1);
      let isReported = false;
      for (let call = 1; !isReported; call++) {
        expect(call).toBeLessThan(CALLS_MAX);
        await withFolder((folder) => {
          openVault(folder).close();
          publish(folder, { label: { backup: "old" } });
          const power = new PowerLossFiles(`${folder}/media`, call);
          isReported = publishUntil(folder, power);
          power.lose(loss, random);
          // The catalog is SQLite's own: here it may be lost whole, and is made from the media.
          if (random.chance(0.5)) {
            for (const part of ["", "-wal", "-shm"]) {
              rmSync(`${folder}/catalog.sqlite${part}`, { force: true });
            }
          }
          const found = wholeBackups(folder).join();
          expect([call, isReported ? ["old,new"] : ["old", "old,new"]])
            .toEqual([call, expect.arrayContaining([found])]);
          publish(folder, { label: { backup: "next" } });
          expect(wholeBackups(folder)).toContain("next");
        });
      }
    });
  }
});
