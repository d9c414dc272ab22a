// The medium proof: both ends write a fresh nonce on every volume, tell it over the stream, and
// read the peer's nonce back from every volume. It proves what no configuration can: that both
// see the same medium, through paths that are not stale.
//
// On the stream, in each direction: 8 bytes "STPNONCE", u32 count n, n x 32 bytes of nonces; then
// one byte, 1, when all was found right. A side that finds a difference aborts with the reason.
//
// Invariant: the nonces are on the volumes before they are told.

import type { Conn, WaitOptions } from "../conn.ts";
import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { readExactly } from "../ground/read_exactly.ts";
import { writeAll } from "../ground/write_all.ts";
import { magicBytes, viewOf } from "./block_fields.ts";
import { sameEndpoint } from "./control_block.ts";
import { BLOCK_BYTES, SHOW_TIMEOUT_MS, SLEEP_MS_MAX } from "./limits.ts";
import { readBlocks } from "./lost_blocks.ts";
import { decodeProofBlock, encodeProofBlock, NONCE_BYTES } from "./proof_block.ts";
import { proofBlockOffset } from "./stg_layout.ts";
import { StpConn } from "./stp_conn.ts";
import { sameProof } from "./token_proof.ts";
import { writeVolume } from "./volume_io.ts";

const MAGIC = magicBytes("STPNONCE");
const HEAD_BYTES = 12;
const PROVED = Uint8Array.of(1);

export interface ProveOptions extends WaitOptions {
  /** The STP connection below `conn`, when `conn` is a wrapper around it. */
  readonly endpoint?: StpConn | undefined;
  /** How long a nonce may take to show on a volume; SHOW_TIMEOUT_MS when absent. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Both ends call it on a fresh connection, before anything else is sent.
 * @throws AgentError `mismatch` that names the volume, or what the connection fails with
 */
export async function proveMedium(conn: Conn, options: ProveOptions = {}): Promise<void> {
  const endpoint = options.endpoint ?? conn;
  assert(endpoint instanceof StpConn, "only a storage connection has a medium to prove");
  try {
    const nonces = await writeNonces(endpoint);
    await writeAll(conn, nonces, options);
    const told = await readNonces(conn, endpoint, options);
    for (const [index, nonce] of told.entries()) {
      await findNonce(endpoint, { index, nonce }, options);
    }
    await writeAll(conn, PROVED, options);
    await readExactly(conn, 1, options);
  } catch (error) {
    if (error instanceof AgentError && error.code === "mismatch") conn.abort(error.message);
    throw error;
  }
}

/** @returns the message that tells them */
async function writeNonces(endpoint: StpConn): Promise<Uint8Array> {
  const { identity, volumes, random } = endpoint.medium;
  const by = endpoint.ids.local;
  const message = new Uint8Array(HEAD_BYTES + volumes.length * NONCE_BYTES);
  message.set(MAGIC);
  viewOf(message).setUint32(8, volumes.length, true);
  const offset = proofBlockOffset(identity.layout, by.host, by.endpoint);
  for (const [volumeIndex, volume] of volumes.entries()) {
    const nonce = random.bytes(NONCE_BYTES);
    const volumeUuid = identity.volumeUuids[volumeIndex] ?? "";
    await endpoint.guard();
    await writeVolume(volume, offset, encodeProofBlock({ volumeIndex, volumeUuid, by, nonce }));
    message.set(nonce, HEAD_BYTES + volumeIndex * NONCE_BYTES);
  }
  return message;
}

async function readNonces(
  conn: Conn,
  endpoint: StpConn,
  options: WaitOptions,
): Promise<Uint8Array[]> {
  const count = endpoint.medium.volumes.length;
  const head = await readExactly(conn, HEAD_BYTES, options);
  if (MAGIC.some((byte, index) => head[index] !== byte)) {
    throw mismatch(endpoint, "the peer sent no nonces", "the peer's nonces");
  }
  const told = viewOf(head).getUint32(8, true);
  if (told !== count) {
    throw mismatch(endpoint, `the peer has ${told} volumes`, `${count} as here`);
  }
  const all = await readExactly(conn, count * NONCE_BYTES, options);
  return Array.from(
    { length: count },
    (_, index) => all.subarray(index * NONCE_BYTES, (index + 1) * NONCE_BYTES),
  );
}

/** Reads until the peer's nonce shows: the path may be slow, but not for ever. */
async function findNonce(
  endpoint: StpConn,
  told: { readonly index: number; readonly nonce: Uint8Array },
  { timeoutMs = SHOW_TIMEOUT_MS, signal }: ProveOptions,
): Promise<void> {
  const { index, nonce } = told;
  const { identity, volumes, clock } = endpoint.medium;
  const volume = volumes[index];
  assert(volume !== undefined, "a nonce is of a volume of the group");
  const { peer } = endpoint.ids;
  const offset = proofBlockOffset(identity.layout, peer.host, peer.endpoint);
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  const block = new Uint8Array(BLOCK_BYTES);
  for (;;) {
    await readBlocks(volume, offset, block);
    const proof = decodeProofBlock(block);
    const found = typeof proof !== "string" && sameEndpoint(proof.by, peer) &&
      proof.volumeIndex === index && proof.volumeUuid === identity.volumeUuids[index] &&
      sameProof(proof.nonce, nonce);
    if (found) return;
    if (clock.monotonicMs() >= deadlineMs) break;
    await clock.sleep(SLEEP_MS_MAX, { signal });
  }
  throw mismatch(
    endpoint,
    `volume "${volume.name}" does not show what the peer wrote`,
    "one medium",
  );
}

function mismatch(endpoint: StpConn, found: string, wanted: string): AgentError {
  return new AgentError(
    "mismatch",
    `Cannot prove the medium of group "${endpoint.medium.identity.name}": ${found}, need ${wanted}`,
    { hint: "Check that `volumes` names the same devices on both hosts." },
  );
}
