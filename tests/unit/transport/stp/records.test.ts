// The on-disk records: examples frozen in golden files, properties, and what damage turns into.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { env } from "node:process";
import { fileURLToPath } from "node:url";
import { readU64, viewOf, writeU64 } from "../../../../transport/stp/block_fields.ts";
import {
  ControlBlock,
  controlBlockImage,
  decodeControlBlock,
} from "../../../../transport/stp/control_block.ts";
import {
  connectionSeed,
  FrameEntry,
  FrameTable,
  INLINE_SLOT,
} from "../../../../transport/stp/frame_entry.ts";
import {
  decodeHostBlock,
  encodeHostBlock,
  type HostBlock,
} from "../../../../transport/stp/host_block.ts";
import { INLINE_BYTES_MAX, RECORD_BYTES } from "../../../../transport/stp/limits.ts";
import { decodeProofBlock, encodeProofBlock } from "../../../../transport/stp/proof_block.ts";
import {
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
} from "../../../../transport/stp/superblock.ts";

const UUID = "00112233-4455-6677-8899-aabbccddeeff";
const OTHER = "ffeeddcc-bbaa-9988-7766-554433221100";
const LOCAL = { host: 1, endpoint: 2, boot: 3, generation: 4 };
const PEER = { host: 5, endpoint: 6, boot: 7, generation: 8 };

const SUPERBLOCK: Superblock = {
  stgUuid: UUID,
  stgName: "stg0",
  volumeIndex: 1,
  volumeUuids: [UUID, OTHER],
  layout: {
    volumeCount: 2,
    maxHosts: 8,
    endpointsPerHost: 16,
    slotsPerVolume: 4,
    payloadBytes: 262144,
  },
};

const HOST: HostBlock = {
  hostId: 2,
  stgUuid: UUID,
  attached: true,
  generation: 9,
  claim: "0123456789abcdef",
  heartbeat: 2 ** 40 + 5,
  deadMs: 10_000,
  name: "wéb01",
  process: null,
};
const PROCESS = { machine: "00112233445566778899aabbccddeeff", pid: 4711, startTicks: 2 ** 33 };

function control(): ControlBlock {
  const block = new ControlBlock();
  block.kind = "aborted";
  block.self = LOCAL;
  block.peer = PEER;
  block.localPort = 49152;
  block.peerPort = 7;
  block.blocked = true;
  block.finSent = true;
  block.producedFrames = 2 ** 33;
  block.producedBytes = 2 ** 50;
  block.consumedFrames = 12;
  block.consumedBytes = 34;
  block.finFrames = 2 ** 33;
  block.changes = 77;
  block.badFrames = 1;
  block.refusals = [{ to: PEER, reason: "auth" }];
  block.reason = "the disk is full";
  return block;
}

function recoveringControl(): ControlBlock {
  return Object.assign(control(), {
    undrained: true,
    askedFrame: 2 ** 34,
    requests: 3,
    tornFrames: 4,
    staleFrames: 6,
    damagedFrames: 7,
    cursorsBack: 8,
    cursorsBeyond: 9,
    sentAgain: 10,
    windowFrames: 4,
  });
}

function waitingControl(): ControlBlock {
  return Object.assign(recoveringControl(), { creditWaits: 5 });
}

const FRAME: FrameEntry = Object.assign(new FrameEntry(), {
  seq: 69,
  streamOffset: 2 ** 40 + 1,
  lengthBytes: 9,
  payloadCrc: 77,
  slot: 3,
});
const TABLE_START = 512;
const ENTRY_START = TABLE_START + 5 * 32;

/** A control block whose table holds one frame. */
function tableImage(): Uint8Array {
  const block = new Uint8Array(4096);
  new FrameTable(block, connectionSeed(LOCAL, PEER)).write(FRAME);
  return block;
}

/** Compares with the golden file; GOLDEN=write makes a missing one. */
function expectGolden(name: string, record: Uint8Array): void {
  const path = fileURLToPath(new URL(`../../../golden/stp/${name}.hex`, import.meta.url).href);
  const lines = Array.from(record, (byte) => byte.toString(16).padStart(2, "0")).join("")
    .replace(/(.{64})/g, "$1\n");
  if (!existsSync(path) && env["GOLDEN"] === "write") writeFileSync(path, lines);
  expect(lines).toBe(readFileSync(path, "utf8"));
}

describe("records", () => {
  test("are what the golden files froze", () => {
    const proof = {
      volumeIndex: 1,
      volumeUuid: OTHER,
      by: LOCAL,
      nonce: new Uint8Array(32).fill(3),
    };
    expectGolden("superblock", encodeSuperblock(SUPERBLOCK).subarray(0, RECORD_BYTES));
    expectGolden("host_block", encodeHostBlock(HOST).subarray(0, RECORD_BYTES));
    const image = (block: ControlBlock) => controlBlockImage(block).subarray(0, RECORD_BYTES);
    const known = { ...HOST, process: PROCESS };
    expectGolden("host_block_process", encodeHostBlock(known).subarray(0, RECORD_BYTES));
    expectGolden("control_block", image(control()));
    expectGolden("control_block_recovery", image(recoveringControl()));
    expectGolden("control_block_waits", image(waitingControl()));
    expectGolden("proof_block", encodeProofBlock(proof).subarray(0, RECORD_BYTES));
    expectGolden("frame_entry", tableImage().subarray(ENTRY_START, ENTRY_START + 32));
  });

  test("decode to what was encoded", () => {
    expect(decodeSuperblock(encodeSuperblock(SUPERBLOCK))).toEqual(SUPERBLOCK);
    for (const host of [HOST, { ...HOST, process: PROCESS }]) {
      expect(decodeHostBlock(encodeHostBlock(host), { hostId: 2, stgUuid: UUID })).toEqual(host);
    }
    for (const block of [control(), waitingControl()]) {
      const image = controlBlockImage(block);
      const into = new ControlBlock();
      expect(decodeControlBlock(image, viewOf(image), into)).toBe("ok");
      expect(into).toEqual(block);
    }
    const proof = { volumeIndex: 0, volumeUuid: UUID, by: PEER, nonce: new Uint8Array(32).fill(8) };
    expect(decodeProofBlock(encodeProofBlock(proof))).toEqual(proof);
  });

  test("tell empty, foreign, other versions and damage apart", () => {
    const block = encodeSuperblock(SUPERBLOCK);
    expect(decodeSuperblock(new Uint8Array(4096))).toBe("empty");
    expect(decodeSuperblock(new Uint8Array(4096).fill(7))).toBe("foreign");
    expect(decodeSuperblock(block.with(8, 1))).toBe("version");
    expect(decodeSuperblock(block.with(200, 1))).toBe("damaged");
    const host = encodeHostBlock(HOST);
    expect(decodeHostBlock(host, { hostId: 2, stgUuid: OTHER })).toBe("empty");
    expect(decodeHostBlock(host, { hostId: 3, stgUuid: UUID })).toBe("damaged");
  });

  test("lose no flipped bit", () => {
    const images = [
      encodeSuperblock(SUPERBLOCK),
      encodeHostBlock(HOST),
      controlBlockImage(control()),
    ];
    fc.assert(fc.property(
      fc.nat({ max: images.length - 1 }),
      fc.nat({ max: RECORD_BYTES * 8 - 1 }),
      (which, bit) => {
        const image = images[which]?.slice() ?? new Uint8Array();
        image[bit >> 3] = (image[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const decoded: unknown = which === 0
          ? decodeSuperblock(image)
          : which === 1
          ? decodeHostBlock(image, { hostId: 2, stgUuid: UUID })
          : decodeControlBlock(image, viewOf(image), new ControlBlock());
        expect(["foreign", "version", "damaged"] as unknown[]).toContain(decoded);
      },
    ));
  });

  test("keep 64-bit counts, and read no count beyond 2^53", () => {
    const view = new DataView(new ArrayBuffer(8));
    fc.assert(fc.property(fc.maxSafeNat(), (value) => {
      writeU64(view, 0, value);
      expect(readU64(view, 0)).toBe(value);
    }));
    view.setBigUint64(0, 2n ** 53n, true);
    expect(readU64(view, 0)).toBe(NaN);
  });
});

describe("FrameTable", () => {
  const expected = { seq: 69, streamOffset: 2 ** 40 + 1, payloadBytes: 100, slotsPerVolume: 4 };
  const seed = connectionSeed(LOCAL, PEER);
  const read = (block: Uint8Array, change: Partial<typeof expected> = {}, by = seed) =>
    new FrameTable(block, by).read({ ...expected, ...change }, new FrameEntry());

  test("gives exactly the expected frame", () => {
    const into = new FrameEntry();
    expect(new FrameTable(tableImage(), seed).read(expected, into)).toBe("ok");
    expect(into).toEqual(FRAME);
    expect(read(tableImage(), { seq: 69 + 64 })).toBe("stale");
    expect(read(tableImage(), { seq: 5 })).toBe("stale");
    expect(read(tableImage(), { seq: 70 })).toBe("torn");
    expect(read(tableImage(), { streamOffset: 2 ** 40 })).toBe("damaged");
    expect(read(tableImage(), { payloadBytes: 8 })).toBe("damaged");
    expect(read(tableImage(), { slotsPerVolume: 3 })).toBe("damaged");
  });

  test("takes a payload in the block itself only when it fits there", () => {
    const frame = { ...FRAME, slot: INLINE_SLOT };
    const readInline = (lengthBytes: number) => {
      const block = new Uint8Array(4096);
      new FrameTable(block, seed).write({ ...frame, lengthBytes });
      return read(block, { payloadBytes: 64 * 1024 });
    };
    expect(readInline(INLINE_BYTES_MAX)).toBe("ok");
    expect(readInline(INLINE_BYTES_MAX + 1)).toBe("damaged");
  });

  test("takes no frame of another connection, generation or direction", () => {
    for (const field of ["host", "endpoint", "boot", "generation"] as const) {
      expect(read(tableImage(), {}, connectionSeed({ ...LOCAL, [field]: 9 }, PEER))).toBe("torn");
      expect(read(tableImage(), {}, connectionSeed(LOCAL, { ...PEER, [field]: 9 }))).toBe("torn");
    }
    expect(read(tableImage(), {}, connectionSeed(PEER, LOCAL))).toBe("torn");
  });

  test("finds each flipped bit of an entry", () => {
    for (let bit = 0; bit < 32 * 8; bit++) {
      const block = tableImage();
      const at = ENTRY_START + (bit >> 3);
      block[at] = (block[at] ?? 0) ^ (1 << (bit & 7));
      expect(read(block)).toBe("torn");
    }
  });
});
