// An expiry cut off at every call that changes something, on a disk without a free byte, and beside
// the jobs that use what would expire.

import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { RetentionConfig } from "../../../../agent/config/mod.ts";
import { VaultExpirer, VaultReader } from "../../../../agent/vault/mod.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import { files, makeArchive, random, withFolder } from "../media/media_fixture.ts";
import { rules } from "./random_retention.ts";
import { withSmallDisk } from "./small_disk.ts";
import { codeOf, Crash, failingFiles, openVault, publish } from "./vault_fixture.ts";

const LAST_TWO: RetentionConfig = { general: rules({ last: 2 }), clients: [] };

const NOISE = crypto.getRandomValues(new Uint8Array(30_000));

/** Three lines, each a full backup and those on top of it; "a2" is pinned. */
function fillVault(directory: string): void {
  using vault = openVault(directory);
  for (const line of [["z1", "z2"], ["a1", "a2", "a3"], ["b1", "b2"]]) {
    for (const [at, backup] of line.entries()) {
      const level = at === 0 ? "full" : "incremental";
      const archive = makeArchive([
        { path: "/srv", type: "directory" },
        { path: `/srv/${backup}`, content: NOISE },
        { path: "/srv/state", content: `state of ${backup}` },
      ]);
      publish(directory, { label: { backup, level, needs: line.slice(0, at) }, archive });
    }
  }
  vault.pin("a2", true);
}

function run(directory: string, options: { through?: Files; dryRun?: boolean } = {}) {
  const { through = files, dryRun = false } = options;
  using expirer = VaultExpirer.open({ directory, files: through, random });
  const steps = expirer.expire(LAST_TWO, { dryRun });
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value.map(({ fact, action, why, released }) =>
    [fact.backup, action, why.join(), released ? "released" : "stays"].join(" | ")
  );
}

/** What is listed, and what lies beside; every media file there is must verify. */
function state(directory: string): { listed: string[]; media: string[] } {
  using vault = openVault(directory);
  expect(vault.recovery.unreadable).toEqual([]);
  using reader = VaultReader.open({ directory, files });
  for (const backup of reader.everyMedia()) {
    const events = [...reader.verify(backup, { data: true, subset: null })];
    expect(events.filter(({ type }) => type === "finding")).toEqual([]);
  }
  return {
    listed: vault.backups().map((one) => `${one.backup}${one.pinned ? " pinned" : ""}`),
    media: readdirSync(`${directory}/media`).sort(),
  };
}

const EXPIRED = {
  listed: ["a2 pinned", "b1", "b2"],
  media: ["a1.expired", "a1.tar.zst", "a2.pinned", "a2.tar.zst", "b1.tar.zst", "b2.tar.zst"],
};

function dropCatalog(directory: string): void {
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(`${directory}/catalog.sqlite${suffix}`, { force: true });
  }
}

/** A dead process closes nothing, so that the end of `using` fails, too. */
function crashes(body: () => void): boolean {
  try {
    body();
    return false;
  } catch (error) {
    return error instanceof Crash || error instanceof SuppressedError;
  }
}

describe("expire()", () => {
  test("removes what no rule keeps, holds what others need, and says so", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      const planned = run(folder, { dryRun: true });
      expect(planned).toEqual([
        "z1 | expire | no rule keeps it | released",
        "z2 | expire | no rule keeps it | released",
        "a1 | expire | no rule keeps it,data needed by a2 | stays",
        "a2 | keep | pinned | stays",
        "a3 | expire | no rule keeps it | released",
        "b1 | keep | last 2 | stays",
        "b2 | keep | last 2,newest,newest complete | stays",
      ]);
      expect(state(folder).listed).toEqual(["z1", "z2", "a1", "a2 pinned", "a3", "b1", "b2"]);
      expect(run(folder)).toEqual(planned);
      expect(state(folder)).toEqual(EXPIRED);
      dropCatalog(folder);
      expect(state(folder)).toEqual(EXPIRED);
      expect(run(folder)[0]).toBe("a1 | held | expired before,data needed by a2 | stays");
      using vault = openVault(folder);
      vault.pin("a2", false);
      run(folder);
      vault.close();
      expect(state(folder)).toEqual({
        listed: ["b1", "b2"],
        media: ["b1.tar.zst", "b2.tar.zst"],
      });
    });
  });

  test(
    "leaves a sound vault after a crash at every call, and the next one finishes it",
    async () => {
      let calls = 0;
      await withFolder((folder) => {
        fillVault(folder);
        const counted = failingFiles(Infinity, "crash");
        run(folder, { through: counted });
        calls = counted.calls;
      });
      expect(calls).toBeGreaterThan(10);
      const seen = new Set<string>();
      for (let failAt = 1; failAt <= calls; failAt++) {
        await withFolder((folder) => {
          fillVault(folder);
          const dying = failingFiles(failAt, "crash");
          expect(crashes(() => run(folder, { through: dying }))).toBe(true);
          dying.bury();
          const crashed = state(folder);
          for (const kept of EXPIRED.listed) expect(crashed.listed).toContain(kept);
          seen.add(crashed.listed.join());
          dropCatalog(folder);
          expect(state(folder)).toEqual(crashed);
          run(folder);
          expect([failAt, state(folder)]).toEqual([failAt, EXPIRED]);
        });
      }
      expect(seen.size).toBeGreaterThan(1);
    },
    60_000,
  );

  test("may be stopped at every step", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      for (let steps = 1, done = false; !done; steps++) {
        using expirer = VaultExpirer.open({ directory: folder, files, random });
        const run = expirer.expire(LAST_TWO, { dryRun: false });
        for (let at = 0; at < steps && !done; at++) done = run.next().done === true;
        run.return([]);
        expirer.close();
        for (const kept of EXPIRED.listed) expect(state(folder).listed).toContain(kept);
      }
      expect(state(folder)).toEqual(EXPIRED);
    });
  });

  test("runs one at a time", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      using _first = VaultExpirer.open({ directory: folder, files, random });
      expect(codeOf(() => run(folder))).toBe("busy");
    });
  });
});

describe("expire() beside other jobs", () => {
  test("keeps what a restore reads and what an incremental backup builds on", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      using vault = openVault(folder);
      vault.pin("a2", false);
      {
        using reader = VaultReader.open({ directory: folder, files });
        const plan = reader.planRestore("a3", []);
        const used = "a3 | keep | in use by a job | stays";
        expect(run(folder, { dryRun: true })).toContain(used);
        expect(run(folder)).toContain(used);
        expect([...reader.restoreRecords(plan, () => {})].length).toBeGreaterThan(0);
        const { client, kind, database, paths, exclude } = vault.backup("b2");
        const chain = reader.chainOf({ client, kind, database, paths, exclude });
        expect(chain.map(({ backup }) => backup)).toEqual(["b1", "b2"]);
        publish(folder, { label: { backup: "c1" } });
        publish(folder, { label: { backup: "d1" } });
        expect(run(folder).filter((line) => line.includes("in use"))).toEqual([
          "a3 | keep | in use by a job | stays",
          "b2 | keep | in use by a job | stays",
        ]);
      }
      run(folder);
      expect(vault.backups().map(({ backup }) => backup)).toEqual(["c1", "d1"]);
    });
  });

  test("leaves the media file of an expired backup while it is verified", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      run(folder);
      using vault = openVault(folder);
      vault.pin("a2", false);
      using reader = VaultReader.open({ directory: folder, files });
      const verification = reader.verify("a1", { data: true, subset: null });
      verification.next();
      expect(run(folder)[0]).toBe("a1 | held | expired before,in use by a job | stays");
      expect([...verification].filter(({ type }) => type === "finding")).toEqual([]);
      run(folder);
      expect(existsSync(`${folder}/media/a1.tar.zst`)).toBe(false);
    });
  });

  test("keeps what is pinned while it runs", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      using vault = openVault(folder);
      using expirer = VaultExpirer.open({ directory: folder, files, random });
      const steps = expirer.expire(LAST_TWO, { dryRun: false });
      steps.next();
      vault.pin("a3", true);
      let step = steps.next();
      while (step.done !== true) step = steps.next();
      const a3 = step.value.find(({ fact }) => fact.backup === "a3");
      expect([a3?.action, a3?.why]).toEqual(["keep", ["pinned"]]);
      expect(vault.backup("a3").pinned).toBe(true);
    });
  });

  test("find and verify know nothing of what only expired backups had", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      using vault = openVault(folder);
      for (const [backup, pinned] of [["a1", true], ["a2", false], ["a3", true]] as const) {
        vault.pin(backup, pinned);
      }
      run(folder);
      const found = [...vault.find("/srv/*")].filter((one) => one !== null);
      expect(found.map(({ path, first, last }) => `${path} ${first} ${last}`)).toEqual([
        "/srv/a1 a1 a3",
        "/srv/a2 a3 a3",
        "/srv/a3 a3 a3",
        "/srv/state a1 a1",
        "/srv/state a3 a3",
        "/srv/b1 b1 b2",
        "/srv/b2 b2 b2",
        "/srv/state b1 b1",
        "/srv/state b2 b2",
      ]);
      using reader = VaultReader.open({ directory: folder, files });
      expect(reader.everyMedia()).toEqual(["a1", "a2", "a3", "b1", "b2"]);
      expect(codeOf(() => [...reader.verify("z1", { data: false, subset: null })]))
        .toBe("not_found");
    });
  });

  test("a backup that has expired cannot be pinned, restored or built on", async () => {
    await withFolder((folder) => {
      fillVault(folder);
      using vault = openVault(folder);
      using reader = VaultReader.open({ directory: folder, files });
      // The mark of an expiry whose catalog commit has not come yet.
      writeFileSync(`${folder}/media/a3.expired`, "");
      expect(codeOf(() => reader.planRestore("a3", []))).toBe("not_found");
      expect(codeOf(() => vault.pin("a3", true))).toBe("not_found");
    });
  });
});

describe("expire() on a full disk", () => {
  for (const opened of ["before", "after"] as const) {
    test(`works without a free byte, the vault opened ${opened} the disk was full`, async () => {
      await withSmallDisk("16m", (place, fill) => {
        fillVault(place);
        expect(existsSync(`${place}/reserve`)).toBe(true);
        const early = opened === "before" ? openVault(place) : null;
        fill(0);
        expect(files.fileSystem(place).freeBytes).toBe(0);
        expect(codeOf(() => publish(place, { label: { backup: "x" } }))).toBe("no_space");
        using vault = early ?? openVault(place);
        run(place);
        vault.close();
        expect(files.fileSystem(place).freeBytes).toBeGreaterThan(0);
        expect(state(place)).toEqual(EXPIRED);
      });
    });
  }

  test("works without a reserve, when the vault is open", async () => {
    await withSmallDisk("1m", (place, fill) => {
      fillVault(place);
      expect(existsSync(`${place}/reserve`)).toBe(false);
      using vault = openVault(place);
      fill(0);
      run(place);
      expect(vault.backups().map(({ backup }) => backup)).toEqual(["a2", "b1", "b2"]);
      vault.close();
      expect(state(place)).toEqual(EXPIRED);
    });
  });
});
