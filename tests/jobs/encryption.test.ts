// Encrypted backups through both sides of a job: nothing of the content is in the vault, full and
// incremental ones restore with the keys of their time by the program and by the commands of their
// label, and plain and encrypted ones share a vault.

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "bun:test";
import { rebuildCatalog, Vault, VaultReader, verifyError } from "../../agent/vault/mod.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { AgentError } from "../../transport/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { settle } from "./data_jobs.ts";
import { runDrill } from "./drill_bed.ts";
import { JobBed, type JobOutcome } from "./job_bed.ts";

const SECRET = "what nobody but the owner of the key may read; ".repeat(50);
const LARGE_BYTES = 5 * 1024 * 1024;
const LIMIT_MS = 60_000;

interface Keys {
  readonly identity: string;
  readonly recipient: string;
}

async function newKeys(): Promise<Keys> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** A source with a large file over several frames and a small one. */
async function openBed(): Promise<JobBed> {
  const bed = await JobBed.open();
  mkdirSync(bed.path("src"));
  bed.writeFile("src/large", LARGE_BYTES);
  writeFileSync(bed.path("src/small"), SECRET);
  return bed;
}

async function backUp(bed: JobBed, backup: string, keys: readonly Keys[]): Promise<void> {
  const recipients = keys.map(({ recipient }) => recipient);
  bed.encryption = { recipients, identityFile: null };
  const paths = [bed.path("src")];
  const ends = await bed.run({ type: "backup", backup, paths, ...EVERYTHING, full: false });
  expect(ends.map(({ error, result }) => [error, result?.status])).toEqual([
    [null, "ok"],
    [null, "ok"],
  ]);
}

async function restore(
  bed: JobBed,
  backup: string,
  options: { readonly keys: readonly Keys[]; readonly include?: readonly string[] },
): Promise<JobOutcome> {
  const identityFile = bed.path("identity.txt");
  const { keys, include = [] } = options;
  writeFileSync(identityFile, keys.map(({ identity }) => `${identity}\n`).join(""), {
    mode: 0o600,
  });
  bed.encryption = { recipients: [], identityFile: keys.length === 0 ? null : identityFile };
  rmSync(bed.path("restored"), { recursive: true, force: true });
  const target = bed.path("restored");
  const how = { overwrite: "refuse", dryRun: false } as const;
  const [server] = await bed.run({ type: "restore", backup, target, include, ...how });
  return server;
}

function expectSame(bed: JobBed, root: string): void {
  for (const name of readdirSync(bed.path("src"))) {
    const restored = readFileSync(`${root}${bed.path("src", name)}`);
    expect(restored.equals(readFileSync(bed.path("src", name)))).toBe(true);
  }
}

function verify(bed: JobBed, backup: string) {
  using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
  const verification = reader.verify(backup, { data: true, subset: null });
  let step = verification.next();
  while (step.done !== true) step = verification.next();
  return step.value;
}

function mediaOf(bed: JobBed, backup: string): string {
  return bed.path("vault", "media", `${backup}.tar.zst`);
}

/** The commands of a label, as its reader would paste them into bash. */
function labelCommands(media: string): string {
  const label = readFileSync(media).subarray(0, 4096).toString("latin1");
  const unseal = /set -o pipefail; KEY=identity.txt\n {4}unseal\(\) {[^]*?\n {4}}\n/.exec(label)
    ?.[0];
  const restoring = /^ {4}(?:for b in [^]*?done|unseal \S+ \| zstd -dc \| tar .* -xpf -)$/m;
  return `${unseal ?? "false"}${restoring.exec(label)?.[0] ?? "false"}`;
}

function runCommands(bed: JobBed, media: string, key: string): string {
  const folder = bed.path("stock");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(`${folder}/identity.txt`, key);
  for (const name of readdirSync(bed.path("vault", "media"))) {
    spawnSync("ln", ["-s", bed.path("vault", "media", name), folder]);
  }
  const { status, stderr } = spawnSync("bash", ["-uc", labelCommands(media)], {
    cwd: folder,
    encoding: "utf8",
  });
  return `${status} ${stderr.replaceAll(/tar: Removing leading.*\n/g, "")}`;
}

describe("an encrypted backup", () => {
  test("restores whole and in part, with its key only, and verifies without", async () => {
    await using bed = await openBed();
    const [keys, spare, other] = [await newKeys(), await newKeys(), await newKeys()];
    await backUp(bed, "b1", [keys, spare]);
    const media = readFileSync(mediaOf(bed, "b1"));
    expect(media.includes("nobody but the owner")).toBe(false);
    const report = verify(bed, "b1");
    expect([verifyError([report]), report.undecrypted]).toEqual([null, true]);
    expect((await restore(bed, "b1", { keys: [other, spare] })).error).toBeNull();
    expectSame(bed, bed.path("restored"));
    const include = [bed.path("src/small")];
    expect((await restore(bed, "b1", { keys: [keys], include })).error).toBeNull();
    expect(readFileSync(`${bed.path("restored")}${bed.path("src/small")}`, "utf8")).toBe(SECRET);
    expect(existsSync(`${bed.path("restored")}${bed.path("src/large")}`)).toBe(false);
    for (const wrong of [[], [other]]) {
      const { error } = await restore(bed, "b1", { keys: wrong });
      expect([error instanceof AgentError && error.code, error?.message]).toEqual([
        "auth",
        expect.stringContaining("Cannot decrypt the backup"),
      ]);
      expect(existsSync(`${bed.path("restored")}${bed.path("src/small")}`)).toBe(false);
    }
    expect(runCommands(bed, mediaOf(bed, "b1"), keys.identity)).toBe("0 ");
    expectSame(bed, bed.path("stock"));
    expect(runCommands(bed, mediaOf(bed, "b1"), other.identity)).toMatch(/no identity matched/);
  }, LIMIT_MS);

  test("builds on a plain one and on one for another key, also after a rebuild", async () => {
    await using bed = await openBed();
    const [first, second] = [await newKeys(), await newKeys()];
    await backUp(bed, "b1", []);
    writeFileSync(bed.path("src/small"), `${SECRET}1`);
    await settle();
    await backUp(bed, "b2", [first]);
    writeFileSync(bed.path("src/new"), `${SECRET}2`);
    await backUp(bed, "b3", [second]);
    renameSync(bed.path("src/new"), bed.path("src/renamed"));
    await backUp(bed, "b4", [second]);
    expect((await restore(bed, "b1", { keys: [] })).error).toBeNull();
    const { error } = await restore(bed, "b4", { keys: [second] });
    expect(error instanceof AgentError && error.code).toBe("auth");
    const place = { directory: bed.path("vault"), files: runtime.files };
    for (const { adoption } of rebuildCatalog(place)) expect(adoption.error).toBeNull();
    using vault = Vault.open({ ...place, ...runtime });
    expect(vault.backups().map(({ backup }) => backup)).toEqual(["b1", "b2", "b3", "b4"]);
    expect((await restore(bed, "b4", { keys: [first, second] })).error).toBeNull();
    expectSame(bed, bed.path("restored"));
    expect(["b1", "b2"].map((backup) => verify(bed, backup).undecrypted)).toEqual([false, true]);
    const both = `${first.identity}\n${second.identity}\n`;
    expect(runCommands(bed, mediaOf(bed, "b4"), both)).toBe("0 ");
    expectSame(bed, bed.path("stock"));
    expect(existsSync(`${bed.path("stock")}${bed.path("src/new")}`)).toBe(false);
  }, LIMIT_MS);

  test(
    "shows a flipped bit of ciphertext without a key, and restores the other files",
    async () => {
      await using bed = await openBed();
      const keys = await newKeys();
      await backUp(bed, "b1", [keys]);
      const media = readFileSync(mediaOf(bed, "b1"));
      const at = media.length >> 1;
      media[at] = (media[at] ?? 0) ^ 4;
      writeFileSync(mediaOf(bed, "b1"), media);
      const report = verify(bed, "b1");
      expect(report.findingCount).toBe(1);
      expect(report.findings[0]?.paths).toContain(bed.path("src/large"));
      const { error, result } = await restore(bed, "b1", { keys: [keys] });
      expect([error, result?.status]).toEqual([null, "incomplete"]);
      const restored = bed.path("restored", bed.path("src"));
      expect(readFileSync(`${restored}/small`, "utf8")).toBe(SECRET);
      expect(existsSync(`${restored}/large`)).toBe(false);
    },
    LIMIT_MS,
  );

  test("is drilled as it is stored without the key, and wholly with it", async () => {
    await using bed = await openBed();
    const keys = await newKeys();
    await backUp(bed, "b1", [keys]);
    const place = { directory: bed.path("vault"), files: runtime.files };
    const reader = () => VaultReader.open(place);
    const vault = { vault: place.directory, source: bed.path("src"), reader };
    const lastDrill = () => {
      using after = reader();
      return after.backup("b1").drilled;
    };

    const stored = await runDrill(vault);
    expect(stored.error).toBeNull();
    expect(stored.warnings.join()).toContain("neither decrypted nor restored");
    expect(stored.drill).toMatchObject({
      status: "ok",
      undecrypted: true,
      entries: 3,
      unproved: 3,
    });
    expect(lastDrill()).toEqual(stored.drill);
    expect(existsSync(`${place.directory}/drill`)).toBe(false);

    const identityFile = bed.path("identity.txt");
    const bring = ({ identity }: Keys) => writeFileSync(identityFile, identity, { mode: 0o600 });
    bring(await newKeys());
    const stranger = await runDrill(vault, { identityFile });
    expect(stranger.error instanceof AgentError && stranger.error.code).toBe("auth");
    expect(lastDrill()).toEqual(stored.drill);
    bring(keys);
    const whole = await runDrill(vault, { identityFile });
    expect([whole.error, whole.warnings]).toEqual([null, []]);
    expect(whole.drill).toMatchObject({ status: "ok", undecrypted: false, entries: 3 });
    expect(whole.drill?.bytes).toBe(LARGE_BYTES + SECRET.length);
    expect(readdirSync(`${place.directory}/drill`)).toEqual([]);

    const media = readFileSync(mediaOf(bed, "b1"));
    const at = media.length >> 1;
    media[at] = (media[at] ?? 0) ^ 4;
    writeFileSync(mediaOf(bed, "b1"), media);
    const damaged = await runDrill(vault);
    expect(damaged.error instanceof AgentError && damaged.error.code).toBe("damaged");
    expect(damaged.warnings.join()).toContain("/large");
    expect(lastDrill()).toMatchObject({ status: "failed", undecrypted: true, differences: 1 });
  }, LIMIT_MS);
});
