// Frames that are encrypted: the library and stock `age` read what we write, we read what they
// write, and no changed, cut or foreign byte comes through.

import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "bun:test";
import { FrameOpener, FrameSealer } from "../../../../agent/encryption/mod.ts";
import { ageFileOf, compressFrame, newSealedFrame } from "../../../../agent/media/mod.ts";
import type { DataRecord, RestoreRecord } from "../../../../agent/record.ts";
import { AgentError, currentRuntime } from "../../../../transport/mod.ts";
import { withFolder } from "../media/media_fixture.ts";

const runtime = await currentRuntime();
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const CHUNK = 65_536;

function recordOf(frame: Uint8Array): DataRecord {
  return { sequence: 0, frame, tarBytes: 1, rows: frame, rowCount: 1, contentBytes: 1 };
}

async function seal(content: Uint8Array, recipients = [recipient]): Promise<Uint8Array> {
  const { random } = runtime;
  const sealer = new FrameSealer({ recipients, aead: runtime.aead(), random });
  return (await sealer.seal(recordOf(content))).frame;
}

/** Runs `body` with a file of identities. */
async function withIdentities(
  text: string,
  body: (opener: FrameOpener, path: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const identityFile = `${folder}/identity.txt`;
    writeFileSync(identityFile, text, { mode: 0o600 });
    await body(openerOf(identityFile), identityFile);
  });
}

function openerOf(identityFile: string | null): FrameOpener {
  return new FrameOpener({ files: runtime.files, identityFile, aead: runtime.aead() });
}

function open(opener: FrameOpener, frame: Uint8Array): Promise<Uint8Array> {
  const record: RestoreRecord = { sequence: 0, frame, tarBytes: 1, pieces: [] };
  return opener.open(record).then((opened) => opened.frame);
}

/** The code and message of what `action` rejects with. */
async function failure(action: Promise<unknown>): Promise<AgentError> {
  try {
    await action;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  throw new Error("nothing thrown");
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 131) >> 3);
}

describe("FrameSealer", () => {
  test("writes what the age library reads, for all sizes around a chunk", async () => {
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 200_000]) {
      const content = pattern(size);
      const read = await decrypter.decrypt(ageFileOf(await seal(content)));
      expect(`${size} ${Buffer.compare(read, content)}`).toBe(`${size} 0`);
    }
  });

  test("writes what stock age reads, for each of several recipients", async () => {
    const second = await generateX25519Identity();
    const content = pattern(3 * CHUNK + 5);
    const frame = await seal(content, [recipient, await identityToRecipient(second)]);
    await withFolder((folder) => {
      // From a file: Deno writes all input before it reads, so both ends could wait for ever.
      writeFileSync(`${folder}/frame.age`, ageFileOf(frame));
      for (const key of [identity, second]) {
        writeFileSync(`${folder}/key`, key);
        const options = ["-d", "-i", `${folder}/key`, `${folder}/frame.age`];
        const { status, stdout, stderr } = spawnSync("age", options, { maxBuffer: 1 << 20 });
        expect(`${status} ${stderr}`).toBe("0 ");
        expect(Buffer.compare(stdout, content)).toBe(0);
      }
    });
  });

  test("uses a key for one frame: two of the same content share neither header nor payload", async () => {
    const { random } = runtime;
    const sealer = new FrameSealer({ recipients: [recipient], aead: runtime.aead(), random });
    const split = async () => {
      const { frame } = await sealer.seal(recordOf(pattern(100)));
      const file = ageFileOf(frame);
      return { header: file.subarray(0, -132).toHex(), payload: file.subarray(-132).toHex() };
    };
    const one = await split();
    const two = await split();
    expect(one.header).not.toBe(two.header);
    expect(one.payload.slice(0, 32)).not.toBe(two.payload.slice(0, 32));
    expect(one.payload.slice(32)).not.toBe(two.payload.slice(32));
  });

  test("leaves the rest of the record alone", async () => {
    const { random } = runtime;
    const sealer = new FrameSealer({ recipients: [recipient], aead: runtime.aead(), random });
    const record = recordOf(compressFrame(pattern(10), 1));
    expect(await sealer.seal(record)).toEqual({ ...record, frame: expect.any(Uint8Array) });
  });
});

describe("FrameOpener", () => {
  test("reads what the library wrote", async () => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    for (const size of [0, 1, CHUNK, CHUNK + 1]) {
      const file = await encrypter.encrypt(pattern(size));
      const { frame, ageFile } = newSealedFrame(file.length);
      ageFile.set(file);
      await withIdentities(identity, async (opener) => {
        expect(Buffer.compare(await open(opener, frame), pattern(size))).toBe(0);
      });
    }
  });

  test("finds the identity among others and comments, and reads the file once", async () => {
    const other = await generateX25519Identity();
    const text = `# created: today\n# public key: ${recipient}\n${other}\n\n${identity}\r\n`;
    await withIdentities(text, async (opener, path) => {
      await open(opener, await seal(pattern(9)));
      writeFileSync(path, "gone");
      expect(await open(opener, await seal(pattern(7)))).toEqual(pattern(7));
    });
  });

  test("passes plain frames without any identity", async () => {
    const plain = compressFrame(pattern(100), 1);
    expect(await open(openerOf(null), plain)).toBe(plain);
    expect(await open(openerOf("/nonexistent"), plain)).toBe(plain);
  });

  test("refuses a flipped bit wherever it is", async () => {
    await withIdentities(identity, async (opener) => {
      const frame = await seal(pattern(CHUNK + 100));
      const end = frame.length;
      // First line, stanza, mac, nonce, first chunk, its tag, last chunk, its tag.
      for (const at of [9, 60, 150, 200, 300, end - 120, end - 60, end - 1]) {
        const changed = frame.slice();
        changed[at] = (changed[at] ?? 0) ^ 1;
        const { code, message } = await failure(open(opener, changed));
        expect(`${at} ${code}: ${message}`).toMatch(/^\d+ (damaged|auth): Cannot/);
      }
      expect(await open(opener, frame)).toEqual(pattern(CHUNK + 100));
    });
  });

  test("refuses what was cut at every length, and chunks that are swapped or left out", async () => {
    await withIdentities(identity, async (opener) => {
      const whole = ageFileOf(await seal(pattern(2 * CHUNK)));
      const chunk = CHUNK + 16;
      const start = whole.length - 2 * chunk;
      const first = whole.subarray(start, start + chunk);
      const last = whole.subarray(start + chunk);
      const head = whole.subarray(0, start);
      const files = [
        ...[0, 21, 22, 100, start - 17, start - 1, start, start + 15, start + 16, start + chunk]
          .map((length) => whole.subarray(0, length)),
        whole.subarray(0, whole.length - 1),
        Buffer.concat([head, last, first]),
        Buffer.concat([head, last]),
        Buffer.concat([head, first, first]),
        Buffer.concat([whole, last]),
        Buffer.concat([whole, new Uint8Array(16)]),
      ];
      for (const [index, file] of files.entries()) {
        const { frame, ageFile } = newSealedFrame(file.length);
        ageFile.set(file);
        expect(`${index} ${(await failure(open(opener, frame))).code}`).toBe(`${index} damaged`);
      }
    });
  });

  test("says which key it lacks", async () => {
    const frame = await seal(pattern(10));
    const none = await failure(open(openerOf(null), frame));
    expect([none.code, none.hint]).toEqual(["auth", expect.stringContaining("identity_file")]);
    const missing = await failure(open(openerOf("/nonexistent/key"), frame));
    expect([missing.code, missing.message]).toEqual(["auth", expect.stringContaining("no such")]);
    await withIdentities(await generateX25519Identity(), async (opener) => {
      const wrong = await failure(open(opener, frame));
      expect([wrong.code, wrong.hint]).toEqual(["auth", expect.stringContaining("of that time")]);
    });
  });

  test("refuses a file that is open to all, or holds anything but identities, and shows no secret", async () => {
    const frame = await seal(pattern(10));
    await withIdentities(identity, async (_, path) => {
      for (const mode of [0o644, 0o604, 0o602]) {
        chmodSync(path, mode);
        const { code, message } = await failure(open(openerOf(path), frame));
        expect([code, message]).toEqual(["auth", expect.stringContaining(mode.toString(8))]);
      }
      chmodSync(path, 0o640);
      expect(await open(openerOf(path), frame)).toEqual(pattern(10));
      const mistyped = `${identity.slice(0, -1)}${identity.endsWith("Q") ? "P" : "Q"}`;
      for (const text of ["", "# none\n", recipient, mistyped, `${identity} ${identity}`]) {
        writeFileSync(path, text);
        const { code, message, hint } = await failure(open(openerOf(path), frame));
        expect(code).toBe("auth");
        expect(`${message}${hint}`).not.toContain(identity.slice(20, 40));
      }
      expect(readFileSync(path, "utf8")).toContain(identity);
    });
  });
});
