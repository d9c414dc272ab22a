// The write-ahead log of a database between the real code of both workers and a real vault.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { carryWal } from "../../agent/client/carry_wal.ts";
import { WAL_AHEAD_KEEP_MS } from "../../agent/client/limits.ts";
import {
  type EncryptionPart,
  type FromWorker,
  type WalAction,
  type WalAnswer,
  WorkerSession,
  type WorkerTask,
} from "../../agent/job/mod.ts";
import { decompressFrame } from "../../agent/media/mod.ts";
import { archiveWal } from "../../agent/server/archive_wal.ts";
import { segmentName, WalArchive } from "../../agent/wal/mod.ts";
import { Vault } from "../../agent/vault/mod.ts";
import { WAL_VERSION } from "../../transport/flow/mod.ts";
import type { Clock } from "../../transport/mod.ts";
import { TcpMechanism } from "../../transport/tcp/mod.ts";
import { linkBed } from "../unit/agent/job/link_bed.ts";
import { makeSegment, NAME, SYSTEM } from "../unit/agent/wal/wal_fixture.ts";
import { HandClock } from "../unit/transport/flow/hand_clock.ts";
import { IDENTITY, runtime } from "../unit/transport/flow/flow_bed.ts";

const SEGMENT = makeSegment();
const PLAIN: EncryptionPart = { recipients: [], identityFile: null };
const IDENTITY_KEY = await generateX25519Identity();
const RECIPIENT = await identityToRecipient(IDENTITY_KEY);
/** What initdb made for a cluster, from offset 256 of its control file on. */
const SECRET = { at: 256, bytes: 32 };

let folder: string;
let vault: Vault;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "archive-wal-"));
  vault = Vault.open({ directory: folder, ...runtime });
});

afterEach(() => {
  vault.close();
  rmSync(folder, { recursive: true });
});

function optionsOf(encryption: EncryptionPart) {
  const data = join(folder, "data");
  return { database: "pg", data, encryption, version: WAL_VERSION, level: 1, onNetwork: false };
}

/** The control file of the cluster, with a secret of that byte. */
function makeControl(fill: number): void {
  const control = new Uint8Array(8192);
  const view = new DataView(control.buffer);
  view.setBigUint64(0, BigInt(SYSTEM), true);
  view.setUint32(8, 1300, true);
  control.fill(fill, SECRET.at, SECRET.at + SECRET.bytes);
  mkdirSync(join(folder, "data", "global"), { recursive: true });
  writeFileSync(join(folder, "data", "global", "pg_control"), control);
}

/** A client that encrypts for one key, with those that it restores with. */
function encrypted(...identities: readonly string[]): EncryptionPart {
  const identityFile = join(folder, "identity.txt");
  writeFileSync(identityFile, identities.join("\n"), { mode: 0o600 });
  return { recipients: [RECIPIENT], identityFile };
}

/** Where the archive has a file. */
function keptAt(name: string): string {
  return join(folder, "wal", "web01", "pg", SYSTEM, name.slice(0, 16), `${name}.zst`);
}

function sessionOf(post: (message: FromWorker) => void, clock: Clock = runtime.clock) {
  const task: WorkerTask = {
    kind: "server-rebuild",
    identity: IDENTITY,
    steps: [],
    vault: folder,
  };
  const mechanism = () => new TcpMechanism(runtime.network);
  const ways = { network: mechanism(), storage: mechanism() };
  return new WorkerSession({ runtime: { ...runtime, clock }, task, ...ways, post });
}

/** Both workers at work; `ask` asks the client's, which goes by `clock`. */
function archive(encryption = PLAIN, clock: Clock = runtime.clock) {
  const { near, far, pairs } = linkBed(1);
  const waiting = new Map<number, (answer: WalAnswer) => void>();
  const client = sessionOf((message) => {
    if (message.type === "wal") waiting.get(message.id)?.(message.answer);
  }, clock);
  const server = sessionOf(() => {});
  const place = { vault: folder, client: "web01", database: "pg" };
  const served = far.receive().then(() => archiveWal(server, far, place));
  const carried = carryWal(client, near, optionsOf(encryption));
  let lastId = 0;
  const ask = (action: WalAction): Promise<WalAnswer> => {
    const id = lastId += 1;
    const answer = new Promise<WalAnswer>((resolve) => waiting.set(id, resolve));
    client.walRequests.add({ id, action });
    return answer;
  };
  return { ask, served, carried, pairs };
}

function unpacked(frame: Uint8Array): Uint8Array {
  return decompressFrame(frame, SEGMENT.length);
}

const push = { type: "push", system: SYSTEM, name: NAME, bytes: SEGMENT } as const;
const get = { type: "get", system: SYSTEM, name: NAME } as const;

interface Segment {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Four segments in a log's directory, which PostgreSQL wants to have archived. */
function readySegments(): readonly [Segment, Segment, Segment, Segment] {
  const log = join(folder, "pg_wal");
  mkdirSync(join(log, "archive_status"), { recursive: true });
  const make = (index: number): Segment => {
    const name = segmentName(1, 0x1000 + index, SEGMENT.length);
    const address = BigInt(0x1000 + index) * BigInt(SEGMENT.length);
    const content = makeSegment({ address, fill: index });
    writeFileSync(join(log, name), content);
    writeFileSync(join(log, "archive_status", `${name}.ready`), "");
    return { name, content };
  };
  return [make(3), make(4), make(5), make(6)];
}

/** What a command asks that sees this content in the log's directory. */
function ownPush(name: string, content: Uint8Array): WalAction {
  const sha256 = createHash("sha256").update(content).digest("hex");
  const own = { directory: join(folder, "pg_wal"), system: SYSTEM, known: null, name };
  return { type: "push-own", ...own, bytes: content.length, sha256 };
}

/** What ended both, for those who do not look at it. */
async function end({ served, carried, pairs }: ReturnType<typeof archive>): Promise<void> {
  for (const conn of pairs.flat()) conn.abort("the test is over");
  await Promise.allSettled([served, carried]);
}

describe("the archive of a log", () => {
  test("keeps what is pushed, once, and gives the same bytes back", async () => {
    const bed = archive();
    expect(await bed.ask(push)).toEqual({ type: "stored" });
    expect(await bed.ask(push)).toEqual({ type: "same" });
    const got = await bed.ask(get);
    expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), SEGMENT) : got).toBe(0);
    // A single cluster need not be named.
    expect((await bed.ask({ ...get, system: null })).type).toBe("file");
    expect(await bed.ask({ ...get, name: "000000010000000100000004" })).toEqual({ type: "absent" });
    await end(bed);
    const kept = join(folder, "wal", "web01", "pg", SYSTEM, NAME.slice(0, 16));
    expect(readdirSync(kept)).toEqual([`${NAME}.zst`]);
    const stock = execFileSync("zstd", ["-dc", join(kept, `${NAME}.zst`)], { maxBuffer: 2 ** 30 });
    expect(Buffer.compare(stock, SEGMENT)).toBe(0);
  });

  test("has what is ready before it is asked for, and what a recovery reads next", async () => {
    const bed = archive();
    const files = readySegments();
    const pushOwn = (name: string, content: Uint8Array) => bed.ask(ownPush(name, content));
    const [first, ...others] = files;
    expect(await pushOwn(first.name, first.content)).toEqual({ type: "stored" });
    // Between two requests there is time for one file ahead.
    for (const _ of files) await bed.ask({ ...get, name: "000000010000000100000009" });
    const kept = join(folder, "wal", "web01", "pg", SYSTEM, first.name.slice(0, 16));
    expect(readdirSync(kept).sort()).toEqual(files.map(({ name }) => `${name}.zst`));
    for (const { name, content } of others) {
      expect(await pushOwn(name, content.with(content.length - 1, 1))).toEqual({ type: "unlike" });
      expect((await pushOwn(name, content)).type).toBe("same");
    }
    for (const { name, content } of files) {
      const got = await bed.ask({ ...get, name });
      expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), content) : got).toBe(0);
    }
    await end(bed);
  });

  test("gives up after a minute what was carried ahead and nobody asks for", async () => {
    const clock = new HandClock();
    const bed = archive(PLAIN, clock);
    const [first, second, third, fourth] = readySegments();
    const pushOwn = ({ name, content }: Segment) => bed.ask(ownPush(name, content));
    const minutePasses = async () => {
      await clock.ring(WAL_AHEAD_KEEP_MS);
      await runtime.clock.yield();
    };
    await pushOwn(first);
    await clock.until(WAL_AHEAD_KEEP_MS, 1);
    // What is remembered says how it came there; the server, that it was there.
    expect(await pushOwn(second)).toEqual({ type: "stored" });
    await minutePasses();
    expect(await pushOwn(third)).toEqual({ type: "same" });

    for (const { name } of [first, second]) await bed.ask({ ...get, name });
    await clock.until(WAL_AHEAD_KEEP_MS, 1);
    for (const { name } of [third, fourth]) rmSync(keptAt(name));
    expect((await bed.ask({ ...get, name: third.name })).type).toBe("file");
    await minutePasses();
    expect((await bed.ask({ ...get, name: fourth.name })).type).toBe("absent");
    await end(bed);
  });

  test("goes on after what it refuses", async () => {
    const bed = archive();
    await bed.ask(push);
    const other = makeSegment({ fill: 7 });
    const refusals = [
      [{ ...push, bytes: other }, "mismatch"],
      [{ ...push, name: "000000010000000100000009" }, "mismatch"],
      [{ ...push, system: "7" }, "mismatch"],
      [{ ...push, name: "../../x" }, "usage"],
      [{ ...get, name: "../../x" }, "usage"],
      [{ ...get, system: "7" }, "failed"],
    ] as const;
    for (const [action, code] of refusals) {
      expect(await bed.ask(action)).toMatchObject({ type: "refused", error: { code } });
    }
    const history = { name: "00000002.history", bytes: new TextEncoder().encode("1\t0/1\tx\n") };
    expect(await bed.ask({ ...push, ...history })).toEqual({ type: "stored" });
    const got = await bed.ask(get);
    expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), SEGMENT) : got).toBe(0);
    await end(bed);
  });

  test("ends on both sides when the connection does, also while nothing is asked", async () => {
    const bed = archive();
    await bed.ask(push);
    bed.pairs[0]?.[0].abort("cut");
    const ends = await Promise.allSettled([bed.carried, bed.served]);
    expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });

  test("is refused where the server is of an earlier release", async () => {
    const { near } = linkBed(1);
    const carried = carryWal(sessionOf(() => {}), near, {
      ...optionsOf(PLAIN),
      version: WAL_VERSION - 1,
    });
    await expect(carried).rejects.toMatchObject({ code: "mismatch" });
  });
});

describe("the archive of a log whose client encrypts", () => {
  const other = makeSegment({ fill: 7 });

  test("keeps ciphertext that age and zstd read, and gives the content back", async () => {
    makeControl(1);
    const bed = archive(encrypted(IDENTITY_KEY));
    expect(await bed.ask(push)).toEqual({ type: "stored" });
    const script = 'set -o pipefail; tail -c +65 "$1" | age -d -i "$2" | zstd -dc';
    const words = ["-c", script, "bash", keptAt(NAME), join(folder, "identity.txt")];
    const stock = execFileSync("bash", words, { maxBuffer: 2 ** 30 });
    expect(Buffer.compare(stock, SEGMENT)).toBe(0);
    const got = await bed.ask(get);
    expect(got.type === "file" ? Buffer.compare(unpacked(got.frame), SEGMENT) : got).toBe(0);
    // Which timelines there are is what the archive must know.
    const history = { name: "00000002.history", bytes: new TextEncoder().encode("1\t0/1\tx\n") };
    expect(await bed.ask({ ...push, ...history })).toEqual({ type: "stored" });
    const path = join(folder, "wal", "web01", "pg", SYSTEM, "00000002.history.zst");
    expect(execFileSync("zstd", ["-dc", path], { encoding: "utf8" })).toBe("1\t0/1\tx\n");
    await end(bed);
  });

  test("says the same of equal content only, and never overwrites", async () => {
    makeControl(1);
    const bed = archive(encrypted(IDENTITY_KEY));
    await bed.ask(push);
    const stored = readFileSync(keptAt(NAME));
    expect(await bed.ask(push)).toEqual({ type: "same" });
    const refused = { type: "refused", error: { code: "mismatch" } };
    expect(await bed.ask({ ...push, bytes: other })).toMatchObject(refused);
    // Another cluster's secret, as if it were this one: digests of two keys tell nothing.
    makeControl(2);
    expect(await bed.ask(push)).toMatchObject(refused);
    expect(readFileSync(keptAt(NAME)).equals(stored)).toBe(true);
    rmSync(join(folder, "data"), { recursive: true });
    const none = { type: "refused", error: { code: "unsupported" } };
    expect(await bed.ask(push)).toMatchObject(none);
    await end(bed);
  });

  test("compares what was kept before encryption was switched on, or off", async () => {
    makeControl(1);
    const next = segmentName(1, 0x1004, SEGMENT.length);
    const bytes = makeSegment({ address: 0x1_0040_0000n });
    const second = { ...push, name: next, bytes };
    const refused = { type: "refused", error: { code: "mismatch" } };
    const plain = archive();
    await plain.ask(push);
    await end(plain);
    const sealing = archive(encrypted(IDENTITY_KEY));
    expect(await sealing.ask(push)).toEqual({ type: "same" });
    expect(await sealing.ask({ ...push, bytes: other })).toMatchObject(refused);
    expect((await sealing.ask(get)).type).toBe("file");
    await sealing.ask(second);
    await end(sealing);
    const again = archive();
    expect(await again.ask(second)).toEqual({ type: "same" });
    const changed = bytes.with(bytes.length - 1, 1);
    expect(await again.ask({ ...second, bytes: changed })).toMatchObject(refused);
    await end(again);
  });

  test("gives nothing without the key, and takes one that comes later", async () => {
    makeControl(1);
    const foreign = await generateX25519Identity();
    const bed = archive(encrypted(foreign));
    await bed.ask(push);
    expect(await bed.ask(get)).toMatchObject({ type: "refused", error: { code: "auth" } });
    encrypted(foreign, IDENTITY_KEY);
    expect((await bed.ask(get)).type).toBe("file");
    await end(bed);
  });

  test("proves each byte of a file without a key", async () => {
    makeControl(1);
    const bed = archive(encrypted(IDENTITY_KEY));
    await bed.ask(push);
    await end(bed);
    const place = { files: runtime.files, directory: folder, client: "web01", database: "pg" };
    const kept = WalArchive.open({ ...place, system: SYSTEM });
    expect([await kept.prove(NAME), kept.contentBytes(NAME)]).toEqual([
      "encrypted",
      SEGMENT.length,
    ]);
    const stored = readFileSync(keptAt(NAME));
    const flips = [...Array(128).keys(), stored.length - 1];
    for (const at of flips) {
      writeFileSync(keptAt(NAME), new Uint8Array(stored).with(at, 1 ^ (stored[at] ?? 0)));
      await expect(kept.prove(NAME)).rejects.toMatchObject({ code: "damaged" });
    }
    writeFileSync(keptAt(NAME), stored.subarray(0, -1));
    await expect(kept.prove(NAME)).rejects.toMatchObject({ code: "damaged" });
  });
});
