// A server that asks a confined client for more than its own file allows: nothing is read or
// written, whatever way the path takes.

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { UNCONFINED } from "../../agent/confinement.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { AgentError } from "../../transport/mod.ts";
import { JobBed } from "./job_bed.ts";

const BACKUP = "web01-20260101T000000Z-aaaaaa";

async function open(): Promise<JobBed> {
  const bed = await JobBed.open();
  for (const name of ["data", "secret", "restored"]) mkdirSync(bed.path(name));
  writeFileSync(bed.path("data/text"), "text");
  writeFileSync(bed.path("secret/key"), "key");
  symlinkSync(bed.path("secret"), bed.path("data/way"));
  symlinkSync(bed.path("secret"), bed.path("restored/way"));
  return bed;
}

function codeOf(error: Error | null): string {
  if (error === null) return "ok";
  return error instanceof AgentError ? error.code : error.message;
}

function backUp(bed: JobBed, path: string) {
  const paths = [bed.path(path)];
  return bed.run({ type: "backup", backup: BACKUP, paths, ...EVERYTHING, full: true });
}

describe("a confined client", () => {
  test("is backed up within its directories, and not through a link out of them", async () => {
    await using bed = await open();
    bed.allow = { ...UNCONFINED, backup: [bed.path("data")] };
    for (const path of ["secret", "data/way", "data-other", "data/../secret"]) {
      const [, client] = await backUp(bed, path);
      expect([path, codeOf(client.error)]).toEqual([path, "auth"]);
      expect(client.error?.message).toContain("allow_backup");
    }
    const [server] = await backUp(bed, "data");
    expect(server.result?.status).toBe("ok");
  });

  test("notes what its server asks for, and what it refuses", async () => {
    await using bed = await open();
    bed.allow = { backup: [bed.path("data")], restore: [bed.path("restored")], overwrite: false };
    const [, allowed] = await backUp(bed, "data");
    const details = { backup: BACKUP, paths: bed.path("data") };
    expect(allowed.audit).toEqual([{ action: "backup-filesystem", result: "allowed", details }]);
    const [, refused] = await backUp(bed, "secret");
    expect(refused.audit).toMatchObject([{ details: { paths: bed.path("secret") } }]);
    expect(refused.audit[0]?.result).toContain("allow_backup");
    const target = bed.path("secret");
    const action = { type: "restore", backup: BACKUP, include: [], dryRun: false } as const;
    const [, restore] = await bed.run({ ...action, target, overwrite: "always" });
    expect(restore.audit).toMatchObject([{ details: { target, overwrite: "always" } }]);
    expect(restore.audit[0]?.action).toMatch(/^(restore|survey)-filesystem$/);
    expect(restore.audit[0]?.result).toContain("allow_restore");
  });

  test("takes restores into its directories alone, and replaces nothing", async () => {
    await using bed = await open();
    await backUp(bed, "data");
    bed.allow = { backup: null, restore: [bed.path("restored")], overwrite: false };
    const restore = async (target: string, overwrite: "refuse" | "never" | "always") => {
      const action = { type: "restore", backup: BACKUP, include: [], dryRun: false } as const;
      const [, client] = await bed.run({ ...action, target: `${bed.folder}/${target}`, overwrite });
      return codeOf(client.error);
    };
    for (const target of ["secret", "restored/way", "restored/../secret", "restored/way/../new"]) {
      expect([target, await restore(target, "never")]).toEqual([target, "auth"]);
    }
    expect(await restore("restored/new", "refuse")).toBe("ok");
    const restored = bed.path(`restored/new${bed.path("data/text")}`);
    expect(readFileSync(restored, "utf8")).toBe("text");
    writeFileSync(restored, "kept");
    expect(await restore("restored/new", "always")).toBe("auth");
    expect(await restore("restored/new", "never")).toBe("ok");
    expect(readFileSync(restored, "utf8")).toBe("kept");
    expect(existsSync(bed.path(`secret${bed.path("data")}`))).toBe(false);
  });
});
