// The medium proof: both ends write a fresh nonce on every volume, tell it over the stream, and
// read the peer's nonce back from every volume. It proves what no configuration can: that both
// see the same medium, through paths that are not stale.
//
// On the stream, in each direction: 8 bytes "STPNONCE", u32 count n, n x 32 bytes of nonces; then
// one byte, 1, when all was found right. A side that finds a difference aborts with the reason.
//
// Invariants:
//  1. The nonces were written before they are told.
//  2. A nonce whose write was lost or torn is written again for as long as the peer has not found
//     it, as a frame is: a proof fails on other media, not on a lossy one.

import type { Conn, WaitOptions } from "../conn.ts";
import { assert } from "../ground/assert.ts";
import { AgentError } from "../ground/error.ts";
import { readExactly } from "../ground/read_exactly.ts";
import { writeAll } from "../ground/write_all.ts";
import { magicBytes, viewOf } from "./block_fields.ts";
import { sameEndpoint } from "./control_block.ts";
import { BLOCK_BYTES, SHOW_AGAIN_MS, SHOW_TIMEOUT_MS, SLEEP_MS_MAX } from "./limits.ts";
import { readBlocks } from "./lost_blocks.ts";
import { decodeProofBlock, encodeProofBlock, NONCE_BYTES, type ProofBlock } from "./proof_block.ts";
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
  const over = new AbortController();
  try {
    const own = makeProofs(endpoint);
    await showProofs(endpoint, own);
    const showing = showAgain(endpoint, own, over.signal);
    try {
      await exchangeNonces(conn, endpoint, { own, options });
    } finally {
      over.abort();
      await showing;
    }
  } catch (error) {
    if (error instanceof AgentError && error.code === "mismatch") conn.abort(error.message);
    throw error;
  }
}

async function exchangeNonces(
  conn: Conn,
  endpoint: StpConn,
  { own, options }: { readonly own: readonly ProofBlock[]; readonly options: ProveOptions },
): Promise<void> {
  await writeAll(conn, encodeNonces(own), options);
  const told = await readNonces(conn, endpoint, options);
  for (const [index, nonce] of told.entries()) {
    await findNonce(endpoint, { index, nonce }, options);
  }
  await writeAll(conn, PROVED, options);
  await readExactly(conn, 1, options);
}

/** A fresh one for each volume. */
function makeProofs({ medium, ids }: StpConn): ProofBlock[] {
  return medium.volumes.map((_, volumeIndex) => ({
    volumeIndex,
    volumeUuid: medium.identity.volumeUuids[volumeIndex] ?? "",
    by: ids.local,
    nonce: medium.random.bytes(NONCE_BYTES),
  }));
}

async function showProofs(endpoint: StpConn, proofs: readonly ProofBlock[]): Promise<void> {
  const { identity, volumes } = endpoint.medium;
  const { host, endpoint: index } = endpoint.ids.local;
  const offset = proofBlockOffset(identity.layout, host, index);
  for (const [volumeIndex, volume] of volumes.entries()) {
    const proof = proofs[volumeIndex];
    assert(proof !== undefined, "each volume has its proof");
    await endpoint.guard();
    await writeVolume(volume, offset, encodeProofBlock(proof));
  }
}

/** Until the proof is over. A volume that fails here fails the connection's own frames, too. */
async function showAgain(
  endpoint: StpConn,
  proofs: readonly ProofBlock[],
  over: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      await endpoint.medium.clock.sleep(SHOW_AGAIN_MS, { signal: over });
      await showProofs(endpoint, proofs);
    }
  } catch {
    return;
  }
}

/** The message that tells them. */
function encodeNonces(proofs: readonly ProofBlock[]): Uint8Array {
  const message = new Uint8Array(HEAD_BYTES + proofs.length * NONCE_BYTES);
  message.set(MAGIC);
  viewOf(message).setUint32(8, proofs.length, true);
  for (const { volumeIndex, nonce } of proofs) {
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
