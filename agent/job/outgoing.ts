// Messages of a job's link on their way out: their size, and what writes them where they are sent
// from, so that a record is copied once.

import { AgentError } from "../../transport/mod.ts";
import type { DataRecord, ParentChunk, RestoreRecord } from "../record.ts";
import { boundedDocument } from "./bounded_document.ts";
import { LINK_DOCUMENT_BYTES_MAX } from "./limits.ts";
import { encodeDocument, type LinkDocument } from "./link_document.ts";
import {
  dataRecordBytes,
  encodeDataRecord,
  encodeHeader,
  encodeParentChunk,
  encodePiece,
  encodeRestoreRecord,
  HEADER_BYTES,
  parentChunkBytes,
  restoreRecordBytes,
} from "./link_frame.ts";

/** A message to be sent: its size, and what writes it into a buffer of that size. */
export interface Outgoing {
  readonly totalBytes: number;
  readonly fill: (into: Uint8Array) => void;
  /** Called when it is certain that the message is not asked for again, if that ever is. */
  readonly release?: (() => void) | undefined;
}

/** @throws AgentError `failed` for a document that the peer would not take */
export function outgoingDocument(document: LinkDocument): Outgoing {
  const payload = encodeDocument(boundedDocument(document));
  if (payload.length > LINK_DOCUMENT_BYTES_MAX) {
    throw new AgentError(
      "failed",
      `Cannot send a "${document.type}" message: it has ${payload.length} bytes, ` +
        `need at most ${LINK_DOCUMENT_BYTES_MAX}`,
      { hint: "Back up or restore fewer paths at once." },
    );
  }
  const fill = (into: Uint8Array) => {
    encodeHeader("document", payload.length, into);
    into.set(payload, HEADER_BYTES);
  };
  return { totalBytes: HEADER_BYTES + payload.length, fill };
}

export function outgoingData(record: DataRecord): Outgoing {
  return { totalBytes: dataRecordBytes(record), fill: (into) => encodeDataRecord(record, into) };
}

export function outgoingRestore(record: RestoreRecord): Outgoing {
  const fill = (into: Uint8Array) => encodeRestoreRecord(record, into);
  return { totalBytes: restoreRecordBytes(record), fill };
}

export function outgoingParent(chunk: ParentChunk): Outgoing {
  return { totalBytes: parentChunkBytes(chunk), fill: (into) => encodeParentChunk(chunk, into) };
}

/** A piece of a file. */
export function outgoingPiece(piece: Uint8Array): Outgoing {
  return { totalBytes: HEADER_BYTES + piece.length, fill: (into) => encodePiece(piece, into) };
}
