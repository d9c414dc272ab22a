// A publication is cut off at every call that changes something; the vault then opens to the state
// before or after, the earlier backup verifies, and the next backup works without any manual step.

import { readdirSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { Vault, VaultReader } from "../../../../agent/vault/mod.ts";
import { clock, files, random, withFolder } from "../media/media_fixture.ts";
import { codeOf, Crash, failingFiles, openVault, publish } from "./vault_fixture.ts";
import { withSmallDisk } from "./small_disk.ts";

const OLD = { label: { backup: "old" } };
const NEW = { label: { backup: "new" } };

function countCalls(folder: string): number {
  const counted = failingFiles(Infinity, "crash");
  publish(folder, { ...NEW, through: counted });
  return counted.calls;
}

/** Ids of a vault's backups after a restart; each must verify and its file must be there. */
function soundBackups(folder: string): string[] {
  using vault = openVault(folder);
  using reader = VaultReader.open({ directory: folder, files });
  const ids = vault.backups().map(({ backup }) => backup);
  for (const id of ids) {
    const findings = [...reader.verify(id, { data: true, subset: null })].filter(({ type }) =>
      type === "finding"
    );
    expect(findings).toEqual([]);
  }
  expect(vault.recovery.unreadable).toEqual([]);
  expect(readdirSync(`${folder}/media`).sort()).toEqual(ids.map((id) => `${id}.tar.zst`).sort());
  return ids;
}

describe("publish()", () => {
  for (const how of ["crash", "torn"] as const) {
    test(`leaves the old state or the new one after a ${how} at every call`, async () => {
      let calls = 0;
      await withFolder((folder) => {
        openVault(folder).close();
        calls = countCalls(folder);
      });
      expect(calls).toBeGreaterThan(15);
      const states = new Set<string>();
      for (let failAt = 1; failAt <= calls; failAt++) {
        await withFolder((folder) => {
          openVault(folder).close();
          publish(folder, OLD);
          const dying = failingFiles(failAt, how);
          expect(() => publish(folder, { ...NEW, through: dying })).toThrow(Crash);
          dying.bury();
          const state = soundBackups(folder).join();
          expect(["old", "old,new"]).toContain(state);
          states.add(state);
          publish(folder, { label: { backup: "next" } });
          expect(soundBackups(folder).join()).toBe(`${state},next`);
        });
      }
      expect([...states].sort()).toEqual(["old", "old,new"]);
    });
  }

  for (const [errno, code] of [["ENOSPC", "no_space"], ["EIO", "failed"]] as const) {
    test(`publishes nothing and leaves nothing when a call fails with ${errno}`, async () => {
      await withFolder((folder) => {
        openVault(folder).close();
        const calls = countCalls(folder);
        let failures = 0;
        for (let failAt = 1; failAt <= calls; failAt++) {
          const label = { backup: `try${failAt}` };
          const through = failingFiles(failAt, errno);
          const found = codeOf(() => publish(folder, { label, through }));
          expect([code, "nothing thrown"]).toContain(found);
          using vault = openVault(folder);
          expect(vault.recovery).toEqual({
            removedPartial: [],
            keptPartial: [],
            adopted: [],
            unreadable: [],
          });
          expect(vault.backups().some(({ backup }) => backup === label.backup))
            .toBe(found === "nothing thrown");
          if (found === code) failures++;
        }
        expect(failures).toBeGreaterThan(calls / 2);
      });
    });
  }

  test("fails as no_space on a full file system and works once there is space", async () => {
    await withSmallDisk("600k", (place, fill) => {
      openVault(place).close();
      const free = fill(0);
      expect(codeOf(() => publish(place))).toBe("no_space");
      expect(readdirSync(`${place}/media`)).toEqual([]);
      free();
      expect(soundBackups(place)).toEqual([]);
      publish(place);
      expect(soundBackups(place).length).toBe(1);
    });
  });

  test("fails as no_space when only the catalog finds no room", async () => {
    await withSmallDisk("600k", (place, fill) => {
      // While the daemon has the vault open, the log and its index are there.
      using vault = openVault(place);
      // Room for the media file (20 KiB), not for the log of the import.
      const free = fill(28 * 1024);
      expect(codeOf(() => publish(place))).toBe("no_space");
      expect(readdirSync(`${place}/media`)).toEqual([]);
      free();
      vault.close();
      expect(soundBackups(place)).toEqual([]);
    });
  });
});

describe("Vault.open()", () => {
  test("leaves a vault that opens after a crash at every call of the first start", async () => {
    for (let failAt = 1; failAt <= 6; failAt++) {
      await withFolder((folder) => {
        const directory = `${folder}/vault`;
        const dying = failingFiles(failAt, "crash");
        try {
          Vault.open({ directory, files: dying, clock, random }).close();
        } catch (error) {
          expect(error).toBeInstanceOf(Crash);
        }
        dying.bury();
        openVault(directory).close();
        expect(soundBackups(directory)).toEqual([]);
      });
    }
  });
});
