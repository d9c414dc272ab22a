// The archive of a log as a client sees it that may encrypt: files go out encrypted when there is
// somebody to encrypt for, and whatever comes back is opened, also what was kept before that.
//
// The server cannot compare what it cannot read. So each encrypted file carries a digest of its
// name and content, keyed with what only those know who may read the cluster (a secret that initdb
// made, the same on its standbys). Equal digests tell that content is equal, as PostgreSQL asks it
// when it archives again; who has the digests alone cannot try out what the content might be.
//
// Invariants: nothing leaves plain when there are recipients, but for histories, which say only
// which timelines there are; "same" is said when the server found the same digest, or when the
// stored file itself was compared here.

import { createHash, createHmac } from "node:crypto";
import { AgentError, equalBytes, type Files, toErrorRecord } from "../../transport/mod.ts";
import type { FrameOpener, FrameSealer } from "../encryption/mod.ts";
import { WAL_FILE_BYTES_MAX } from "../job/mod.ts";
import { checkZstdFrame, decompressInPieces } from "../media/mod.ts";
import { clusterSecretOf, readControlFile, systemIdentifierOf } from "../postgresql/mod.ts";
import {
  isSealedFile,
  openSealedFile,
  parseWalFileName,
  SEALED_FILE_HEAD_BYTES,
  sealFile,
} from "../wal/mod.ts";
import type { GetAnswer, Log, PackedFile, PushAnswer } from "./log_link.ts";

export interface SealedLogParts {
  readonly log: Log;
  readonly files: Files;
  /** Data directory of the cluster. */
  readonly data: string;
  /** Null when there is nobody to encrypt for. */
  readonly sealer: FrameSealer | null;
  /** Asked for each file: the connection stands for long, and another key may come meanwhile. */
  readonly opener: () => FrameOpener;
}

export class SealedLog implements Log {
  readonly #parts: SealedLogParts;

  constructor(parts: SealedLogParts) {
    this.#parts = parts;
  }

  async push(file: PackedFile): Promise<PushAnswer> {
    const packed = await refusing(() => this.#pack(file));
    if ("error" in packed) return packed;
    const answer = await this.#parts.log.push({ ...file, frame: packed.frame });
    if (answer.type !== "refused" || answer.error.code !== "mismatch") return answer;
    return await this.#isKept(file, packed.frame) ? { type: "same" } : answer;
  }

  async get(system: string | null, name: string): Promise<GetAnswer> {
    const answer = await this.#parts.log.get(system, name);
    if (answer.type !== "file") return answer;
    return await refusing(async () => ({
      type: "file" as const,
      frame: await this.#open(answer.frame),
    }));
  }

  async #pack(file: PackedFile): Promise<{ readonly frame: Uint8Array }> {
    const { sealer } = this.#parts;
    const isHistory = parseWalFileName(file.name)?.type === "history";
    if (sealer === null || isHistory) return { frame: file.frame };
    const digest = this.#digestOf(file);
    const sealed = await sealer.sealFrame(file.frame, SEALED_FILE_HEAD_BYTES);
    sealFile(sealed, { contentBytes: file.bytes, digest });
    return { frame: sealed };
  }

  async #open(stored: Uint8Array): Promise<Uint8Array> {
    if (!isSealedFile(stored)) return checked(stored);
    const { contentBytes, frame } = openSealedFile(stored);
    return checked(await this.#parts.opener().openFrame(frame), contentBytes);
  }

  /**
   * Has the archive this content in the other form? That is so after encryption was switched on or
   * off: the server could not compare, and made the file durable.
   */
  async #isKept(file: PackedFile, sent: Uint8Array): Promise<boolean> {
    const { system, name, bytes } = file;
    const answer = await this.#parts.log.get(system, name);
    if (answer.type !== "file" || isSealedFile(answer.frame) === isSealedFile(sent)) return false;
    try {
      if (isSealedFile(answer.frame)) {
        const { contentBytes, digest } = openSealedFile(answer.frame);
        return contentBytes === bytes && equalBytes(digest, this.#digestOf(file));
      }
      if (checkZstdFrame(answer.frame).contentBytes !== bytes) return false;
      const hash = createHash("sha256");
      await decompressInPieces(answer.frame, bytes, (piece) => hash.update(piece));
      return hash.digest("hex") === file.sha256();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return false;
    }
  }

  /** @throws AgentError `unsupported` without the cluster's secret */
  #digestOf({ system, name, bytes, sha256 }: PackedFile): Uint8Array {
    const { files, data } = this.#parts;
    const control = readControlFile(files, data);
    const isOwn = control !== null && systemIdentifierOf(control) === system;
    const secret = isOwn ? clusterSecretOf(control) : null;
    if (secret === null) throw noSecret(name, data);
    const content = `agent log 1\0${name}\0${bytes}\0${sha256()}`;
    return createHmac("sha256", secret).update(content).digest();
  }
}

async function refusing<T>(
  work: () => Promise<T>,
): Promise<T | Extract<PushAnswer, { type: "refused" }>> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { type: "refused", error: toErrorRecord(error) };
  }
}

/** The frame of a file that may be held in memory. @throws AgentError `damaged` */
function checked(frame: Uint8Array, wanted?: number): Uint8Array {
  const { contentBytes } = checkZstdFrame(frame);
  if (contentBytes <= WAL_FILE_BYTES_MAX && contentBytes === (wanted ?? contentBytes)) return frame;
  const message = `Cannot take a file of the log: found ${contentBytes} bytes, need ` +
    `${wanted ?? `at most ${WAL_FILE_BYTES_MAX}`}`;
  throw new AgentError("damaged", message);
}

function noSecret(name: string, data: string): AgentError {
  const message = `Cannot encrypt "${name}": found no control file in "${data}" that says it, ` +
    "need that of its cluster, of PostgreSQL 15 to 18";
  return new AgentError("unsupported", message, {
    hint: "Mend the key `data` of the database, and let the agent run as root or as its `user`.",
  });
}
