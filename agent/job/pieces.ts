// A file on a link: as many pieces as it takes, after a document that said how long it is.

import { AgentError } from "../../transport/mod.ts";
import { PIECE_BYTES_MAX, WAL_FRAME_BYTES_MAX } from "./limits.ts";
import type { JobLink, LinkMessage } from "./link.ts";

export async function sendPieces(link: JobLink, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX) {
    await link.sendPiece(bytes.subarray(at, at + PIECE_BYTES_MAX));
  }
}

/**
 * @param totalBytes as the peer said
 * @param next gives the link's next message
 * @throws AgentError `damaged` for a length that cannot be, `reset` for anything but pieces
 */
export async function receivePieces(
  totalBytes: number,
  next: () => Promise<LinkMessage>,
): Promise<Uint8Array> {
  if (totalBytes > WAL_FRAME_BYTES_MAX) {
    const message = `Cannot take a file: found ${totalBytes} bytes, need at most ` +
      `${WAL_FRAME_BYTES_MAX}`;
    throw new AgentError("damaged", message);
  }
  const bytes = new Uint8Array(totalBytes);
  for (let at = 0; at < totalBytes;) {
    const message = await next();
    if (message.kind !== "piece" || message.bytes.length === 0) {
      throw new AgentError("reset", `Cannot take a file: found a "${message.kind}", need pieces`);
    }
    if (at + message.bytes.length > totalBytes) {
      throw new AgentError("damaged", "Cannot take a file: found more than was announced");
    }
    bytes.set(message.bytes, at);
    at += message.bytes.length;
  }
  return bytes;
}
