// One end of a contestant's stream: how each opens it, as sink or as source of whole chunks.

import { crc32 } from "node:zlib";
import { attachArray } from "../../emulator/mod.ts";
import type { Address, Conn } from "../../transport/conn.ts";
import type { Runtime } from "../../transport/runtime/runtime.ts";
import { readStgIdentity, StgMember, StpMechanism } from "../../transport/stp/mod.ts";
import { RING_FILE_BYTES, ringRead, ringWrite } from "./ring_stream.ts";

export type Contestant = "tcp" | "stp" | "ring" | "ring-crc";

export const CONTESTANTS: readonly Contestant[] = ["tcp", "stp", "ring", "ring-crc"];

/** An open end; `chunk` is sent whole or filled whole. */
export interface PeerStream extends AsyncDisposable {
  move(chunk: Uint8Array): Promise<void>;
}

/** What an end needs to find the other. */
export interface PeerOptions {
  readonly runtime: Runtime;
  /** Folder with the array, or with the ring's file. */
  readonly folder: string;
  /** Of the sink; 0 at the sink itself. */
  readonly port: number;
  /** Tells the controller at which port the sink listens. */
  readonly announce: (port: number) => void;
}

const TOKEN = new Uint8Array(16).fill(7);
const CONNECT_TIMEOUT_MS = 20_000;

function sinkOf(conn: Conn, end: () => Promise<void>): PeerStream {
  return {
    async move(chunk) {
      let at = 0;
      while (at < chunk.length) {
        const count = await conn.read(chunk.subarray(at));
        if (count === null) throw new Error("stream ended early");
        at += count;
      }
    },
    [Symbol.asyncDispose]: end,
  };
}

function sourceOf(conn: Conn, end: () => Promise<void>): PeerStream {
  return {
    async move(chunk) {
      let at = 0;
      while (at < chunk.length) at += await conn.write(chunk.subarray(at));
    },
    [Symbol.asyncDispose]: end,
  };
}

async function openTcp(side: "sink" | "source", options: PeerOptions): Promise<PeerStream> {
  const { network } = options.runtime;
  const address = "127.0.0.1";
  if (side === "source") {
    const conn = await network.connect({
      address,
      port: options.port,
      timeoutMs: CONNECT_TIMEOUT_MS,
    });
    return sourceOf(conn, () => conn.close());
  }
  const listener = await network.listen({ address, port: 0 });
  options.announce(listener.addr.port);
  const conn = await listener.accept();
  return sinkOf(conn, async () => {
    await conn.close();
    await listener.close();
  });
}

async function openStp(side: "sink" | "source", options: PeerOptions): Promise<PeerStream> {
  const { files, memories, clock, random } = options.runtime;
  const hostName = side;
  const array = attachArray(options.folder, { hostName }, { files, memories, clock, random });
  const volumes = [array.volume("v0"), array.volume("v1")];
  const identity = await readStgIdentity({ name: "bench", volumes });
  const hostId = side === "sink" ? 1 : 2;
  const parts = { identity, volumes, clock, random };
  const member = await StgMember.join({ ...parts, hostId, hostName });
  const lease = member.lease(2);
  const mechanism = new StpMechanism({ ...parts, claim: member.claim, lease });
  const socket = mechanism.socket();
  const address: Address = { family: "AF_STP", stg: "bench", host: 1, port: options.port };
  const leave = async (): Promise<void> => {
    await socket.close();
    member.release(lease);
    await member.close();
    array.close();
  };
  if (side === "source") {
    await socket.connect(address, { timeoutMs: CONNECT_TIMEOUT_MS, token: TOKEN });
    return sourceOf(socket.conn, leave);
  }
  await socket.bind({ ...address, port: 0 });
  await socket.listen({ backlog: 1, token: TOKEN });
  options.announce(socket.getsockname().port);
  const accepted = await socket.accept();
  return sinkOf(accepted.conn, async () => {
    await accepted.close();
    await leave();
  });
}

/** The ring, with the CRC-32 of each chunk computed at both ends when `checked`. */
function openRing(
  side: "sink" | "source",
  options: PeerOptions,
  checked: boolean,
): PeerStream {
  const { memories, clock } = options.runtime;
  const ring = memories.map(`${options.folder}/ring`, RING_FILE_BYTES);
  if (side === "sink") options.announce(1);
  const move = side === "sink" ? ringRead : ringWrite;
  // Data that arrives is constant here, so the checksum of the first chunk is that of all.
  let expected: number | null = null;
  const check = (chunk: Uint8Array): void => {
    const found = crc32(chunk);
    if (expected !== null && found !== expected) throw new Error("ring: wrong checksum");
    expected = found;
  };
  return {
    async move(chunk) {
      if (checked && side === "source") check(chunk);
      await move(ring, chunk, clock);
      if (checked && side === "sink") check(chunk);
    },
    [Symbol.asyncDispose]() {
      ring.close();
      return Promise.resolve();
    },
  };
}

/** Opens one end of a contestant's stream; the source comes second. */
export async function openPeerStream(
  contestant: Contestant,
  side: "sink" | "source",
  options: PeerOptions,
): Promise<PeerStream> {
  if (contestant === "ring" || contestant === "ring-crc") {
    return openRing(side, options, contestant === "ring-crc");
  }
  return await (contestant === "tcp" ? openTcp : openStp)(side, options);
}
