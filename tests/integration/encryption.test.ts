// Encryption by the configuration of real daemons: files and a database go into the vault as nobody
// but the holder of the identity can read them, and a client without a fitting key says so.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { Bed } from "./bed.ts";
import { makeSegment, NAME } from "../unit/agent/wal/wal_fixture.ts";
import { makeDatabase, readDatabase } from "./sqlite_writer.ts";

const TIMEOUT_MS = 120_000;
const SECRET = "nobody but the holder of the identity reads this";

describe("a client with recipients", () => {
  let bed: Bed;
  let files = "";
  let identity = "";

  beforeAll(async () => {
    identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    const keys = "recipients_file: recipients.txt, identity_file: identity.txt";
    bed = await Bed.make({
      clientKeys: `  pg: { kind: postgresql, data: pg1 }\nencryption: { ${keys} }`,
    });
    bed.write("recipients.txt", "age1mistyped\n");
    const { code, stderr } = await bed.launch("client").ended;
    expect([code, stderr]).toEqual([2, expect.stringContaining("recipients_file")]);
    bed.write("recipients.txt", `# of the operator\n${recipient}\n`);
    await Promise.all([bed.start("server"), bed.start("client")]);
    mkdirSync(bed.path("data"));
    bed.write("data/secret", SECRET);
    makeDatabase(bed.path("app.db"), 1);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
  });

  test("backs up and restores files and a database with the identity alone", async () => {
    const where = ["--client", "web01", bed.path("data")];
    files = (await bed.job("server", "backup", "filesystem", ...where)).backup ?? "";
    const database = (await bed.job("client", "backup", "database", "app")).backup ?? "";
    for (const name of readdirSync(bed.path("vault", "media"))) {
      const media = readFileSync(bed.path("vault", "media", name));
      expect([media.includes(SECRET), media.includes("SQLite format 3")]).toEqual([false, false]);
      expect(media.subarray(0, 200).toString()).toContain("This is an encrypted backup");
    }
    const target = ["--target", bed.path("restored")];
    const refused = await bed.json("server", "restore", files, ...target);
    expect([refused.code, refused.error?.code]).toEqual([12, "auth"]);
    expect(refused.error?.hint).toContain("age-keygen");
    writeFileSync(bed.path("identity.txt"), identity, { mode: 0o600 });
    rmSync(bed.path("restored"), { recursive: true, force: true });
    expect(await bed.job("server", "restore", files, ...target)).toMatchObject({ status: "ok" });
    expect(readFileSync(bed.path("restored", bed.path("data/secret")), "utf8")).toBe(SECRET);
    const how = ["--database", "app", "--target", bed.path("databases")];
    expect(await bed.job("client", "restore", database, ...how)).toMatchObject({ status: "ok" });
    expect(readDatabase(bed.path("databases", "app.db")).integrity).toBe("ok");
  }, TIMEOUT_MS);

  test("archives the log of a cluster whose directory a reload has changed", async () => {
    const push = async (data: string, system: string) => {
      makeCluster(bed.path(data), system);
      const log = bed.path(data, "pg_wal", NAME);
      return (await bed.run(["wal", "push", log, "--database", "pg"], "client")).code;
    };
    expect(await push("pg1", "1")).toBe(0);
    const yaml = readFileSync(bed.path("client.yaml"), "utf8");
    bed.write("client.yaml", yaml.replace("data: pg1", "data: pg2"));
    bed.daemon("client").kill("SIGHUP");
    await bed.daemon("client").waitFor(/configuration read again/);
    expect(await push("pg2", "2")).toBe(0);
    for (const system of ["1", "2"]) {
      const kept = bed.path("vault", "wal", "web01", "pg", system, NAME.slice(0, 16));
      expect(readdirSync(kept)).toEqual([`${NAME}.zst`]);
    }
  }, TIMEOUT_MS);

  test("verify --data says that content was not decrypted, and ends well", async () => {
    const { code, stdout, stderr } = await bed.run(["verify", files, "--data"], "server");
    expect([code, `${stdout}${stderr}`]).toEqual([
      0,
      expect.stringContaining("content was not decrypted"),
    ]);
  }, TIMEOUT_MS);

  test("drill proves what is stored, and with the identity what comes of it", async () => {
    const stored = await bed.job("server", "drill", files);
    expect(stored).toMatchObject({ status: "ok", drill: { undecrypted: true } });
    const identity = ["--identity", bed.path("identity.txt")];
    const whole = await bed.job("server", "drill", files, ...identity);
    expect(whole.drill).toMatchObject({ status: "ok", undecrypted: false, unproved: 0 });
  }, TIMEOUT_MS);
});

/** What of a cluster an archive looks at: which it is, its secret, and a segment of its log. */
function makeCluster(data: string, system: string): void {
  for (const folder of ["global", "pg_wal"]) mkdirSync(`${data}/${folder}`, { recursive: true });
  const control = new Uint8Array(8192);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(system), true);
  view.setUint32(8, 1300, true);
  control.fill(7, 256, 288);
  writeFileSync(`${data}/global/pg_control`, control);
  writeFileSync(`${data}/pg_wal/${NAME}`, makeSegment({ system }));
}
