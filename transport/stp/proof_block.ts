// The proof block: one per endpoint on every volume. Its nonce, told over the stream and read
// back from the volume by the other side, proves that both sides see the same medium.
//
//   0    8   magic "STPPROOF"
//   8    4   format version
//   12   4   index of the volume
//   16   16  uuid of the volume
//   32   16  the endpoint: host, endpoint, generation of the host, of the connection
//   48   32  nonce
//   508  4   CRC-32 of bytes 0 .. 507

import {
  checkRecord,
  magicBytes,
  readUuid,
  type RecordState,
  sealRecord,
  viewOf,
  writeUuid,
} from "./block_fields.ts";
import type { EndpointId } from "./control_block.ts";
import { BLOCK_BYTES } from "./limits.ts";

const MAGIC = magicBytes("STPPROOF");
export const NONCE_BYTES = 32;

export interface ProofBlock {
  readonly volumeIndex: number;
  readonly volumeUuid: string;
  readonly by: EndpointId;
  readonly nonce: Uint8Array;
}

export function encodeProofBlock(proof: ProofBlock): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const view = viewOf(block);
  view.setUint32(12, proof.volumeIndex, true);
  writeUuid(block, 16, proof.volumeUuid);
  view.setUint32(32, proof.by.host, true);
  view.setUint32(36, proof.by.endpoint, true);
  view.setUint32(40, proof.by.boot, true);
  view.setUint32(44, proof.by.generation, true);
  block.set(proof.nonce, 48);
  sealRecord(block, view, MAGIC);
  return block;
}

export function decodeProofBlock(block: Uint8Array): ProofBlock | Exclude<RecordState, "ok"> {
  const view = viewOf(block);
  const state = checkRecord(block, view, MAGIC);
  if (state !== "ok") return state;
  return {
    volumeIndex: view.getUint32(12, true),
    volumeUuid: readUuid(block, 16),
    by: {
      host: view.getUint32(32, true),
      endpoint: view.getUint32(36, true),
      boot: view.getUint32(40, true),
      generation: view.getUint32(44, true),
    },
    nonce: block.slice(48, 48 + NONCE_BYTES),
  };
}
