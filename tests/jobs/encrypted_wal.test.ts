// The archive of a log whose client encrypts: what stock tools read, what is told to be the same, and
// what is proved without a key.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { EncryptionPart } from "../../agent/job/mod.ts";
import { segmentName, WalArchive } from "../../agent/wal/mod.ts";
import { makeSegment, NAME, SYSTEM } from "../unit/agent/wal/wal_fixture.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { GET, LogBed, PUSH, SEGMENT, unpacked } from "./log_bed.ts";

const IDENTITY_KEY = await generateX25519Identity();
const RECIPIENT = await identityToRecipient(IDENTITY_KEY);
/** What initdb made for a cluster, from offset 256 of its control file on. */
const SECRET = { at: 256, bytes: 32 };

let place: LogBed;

beforeEach(() => {
  place = new LogBed();
});

afterEach(() => place[Symbol.dispose]());

/** The control file of the cluster, with a secret of that byte. */
function makeControl(fill: number): void {
  const control = new Uint8Array(8192);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(SYSTEM), true);
  view.setUint32(8, 1300, true);
  control.fill(fill, SECRET.at, SECRET.at + SECRET.bytes);
  mkdirSync(place.path("data", "global"), { recursive: true });
  writeFileSync(place.path("data", "global", "pg_control"), control);
}

/** A client that encrypts for one key, with those that it restores with. */
function encrypted(...identities: readonly string[]): EncryptionPart {
  const identityFile = place.path("identity.txt");
  writeFileSync(identityFile, identities.join("\n"), { mode: 0o600 });
  return { recipients: [RECIPIENT], identityFile };
}

describe("the archive of a log whose client encrypts", () => {
  const other = makeSegment({ fill: 7 });

  test("keeps ciphertext that age and zstd read, and gives the content back", async () => {
    makeControl(1);
    const bed = place.archive({ encryption: encrypted(IDENTITY_KEY) });
    expect(await bed.ask(PUSH)).toEqual({ type: "stored" });
    const script = 'set -o pipefail; tail -c +65 "$1" | age -d -i "$2" | zstd -dc';
    const words = ["-c", script, "bash", place.keptAt(NAME), place.path("identity.txt")];
    const stock = execFileSync("bash", words, { maxBuffer: 2 ** 30 });
    expect(Buffer.compare(stock, SEGMENT)).toBe(0);
    const got = await bed.ask(GET);
    expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), SEGMENT) : got).toBe(0);
    // Which timelines there are is what the archive must know.
    const history = { name: "00000002.history", bytes: new TextEncoder().encode("1\t0/1\tx\n") };
    expect(await bed.ask({ ...PUSH, ...history })).toEqual({ type: "stored" });
    const path = place.path("wal", "web01", "pg", SYSTEM, "00000002.history.zst");
    expect(execFileSync("zstd", ["-dc", path], { encoding: "utf8" })).toBe("1\t0/1\tx\n");
    await bed.end();
  });

  test("says the same of equal content only, and never overwrites", async () => {
    makeControl(1);
    const bed = place.archive({ encryption: encrypted(IDENTITY_KEY) });
    await bed.ask(PUSH);
    const stored = readFileSync(place.keptAt(NAME));
    expect(await bed.ask(PUSH)).toEqual({ type: "same" });
    const refused = { type: "refused", error: { code: "mismatch" } };
    expect(await bed.ask({ ...PUSH, bytes: other })).toMatchObject(refused);
    // Another cluster's secret, as if it were this one: digests of two keys tell nothing.
    makeControl(2);
    expect(await bed.ask(PUSH)).toMatchObject(refused);
    expect(readFileSync(place.keptAt(NAME)).equals(stored)).toBe(true);
    rmSync(place.path("data"), { recursive: true });
    const none = { type: "refused", error: { code: "unsupported" } };
    expect(await bed.ask(PUSH)).toMatchObject(none);
    await bed.end();
  });

  test("compares what was kept before encryption was switched on, or off", async () => {
    makeControl(1);
    const next = segmentName(1, 0x1004, SEGMENT.length);
    const bytes = makeSegment({ address: 0x1_0040_0000n });
    const second = { ...PUSH, name: next, bytes };
    const refused = { type: "refused", error: { code: "mismatch" } };
    const plain = place.archive();
    await plain.ask(PUSH);
    await plain.end();
    const sealing = place.archive({ encryption: encrypted(IDENTITY_KEY) });
    expect(await sealing.ask(PUSH)).toEqual({ type: "same" });
    expect(await sealing.ask({ ...PUSH, bytes: other })).toMatchObject(refused);
    expect((await sealing.ask(GET)).type).toBe("file");
    await sealing.ask(second);
    await sealing.end();
    const again = place.archive();
    expect(await again.ask(second)).toEqual({ type: "same" });
    const changed = bytes.with(bytes.length - 1, 1);
    expect(await again.ask({ ...second, bytes: changed })).toMatchObject(refused);
    await again.end();
  });

  test("gives nothing without the key, and takes one that comes later", async () => {
    makeControl(1);
    const foreign = await generateX25519Identity();
    const bed = place.archive({ encryption: encrypted(foreign) });
    await bed.ask(PUSH);
    expect(await bed.ask(GET)).toMatchObject({ type: "refused", error: { code: "auth" } });
    encrypted(foreign, IDENTITY_KEY);
    expect((await bed.ask(GET)).type).toBe("file");
    await bed.end();
  });

  test("proves each byte of a file without a key", async () => {
    makeControl(1);
    const bed = place.archive({ encryption: encrypted(IDENTITY_KEY) });
    await bed.ask(PUSH);
    await bed.end();
    const { folder: directory } = place;
    const owner = { client: "web01", database: "pg", system: SYSTEM };
    const kept = WalArchive.open({ files: runtime.files, directory, ...owner });
    expect([await kept.prove(NAME), kept.contentBytes(NAME)]).toEqual([
      "encrypted",
      SEGMENT.length,
    ]);
    const stored = readFileSync(place.keptAt(NAME));
    const flips = [...Array(128).keys(), stored.length - 1];
    for (const at of flips) {
      writeFileSync(place.keptAt(NAME), new Uint8Array(stored).with(at, 1 ^ (stored[at] ?? 0)));
      await expect(kept.prove(NAME)).rejects.toMatchObject({ code: "damaged" });
    }
    writeFileSync(place.keptAt(NAME), stored.subarray(0, -1));
    await expect(kept.prove(NAME)).rejects.toMatchObject({ code: "damaged" });
  });
});
