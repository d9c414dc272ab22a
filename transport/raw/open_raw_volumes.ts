// Opens the raw volumes of a group on this thread, with one queue for all of them.
//
// Invariants: what was opened is closed again when a later one fails. Nothing is written.

import { AgentError } from "../ground/error.ts";
import type { DirectIo } from "../runtime/direct_io.ts";
import { AT_CWD, type Files, type FileType, SystemError } from "../runtime/files.ts";
import type { Clock } from "../runtime/runtime.ts";
import { UNIT_BYTES_MAX } from "./limits.ts";
import { probeMedium } from "./probe_medium.ts";
import { RawQueue } from "./raw_queue.ts";
import { RawVolume } from "./raw_volume.ts";

export interface RawParts {
  readonly files: Files;
  readonly directIo: DirectIo;
  readonly clock: Clock;
  /** How long a request may take; 30 s when absent. */
  readonly timeoutMs?: number | undefined;
}

/**
 * @param paths block devices or plain files, in the order of the group
 * @throws AgentError `not_found`, `unsupported` (no direct I/O, blocks too large, no asynchronous
 *   I/O), `usage` (neither block device nor file), `volume`
 */
export async function openRawVolumes(
  paths: readonly string[],
  parts: RawParts,
): Promise<RawVolume[]> {
  const queue = new RawQueue(parts);
  const volumes: RawVolume[] = [];
  let open = paths.length;
  // The queue goes with the last volume.
  const ended = Promise.withResolvers<void>();
  const closed = () => {
    open -= 1;
    if (open === 0) void queue.close().then(ended.resolve);
  };
  try {
    for (const path of paths) {
      volumes.push(await openOne(path, { ...parts, queue, closed, ended: ended.promise }));
    }
    return volumes;
  } catch (error) {
    for (const volume of volumes) volume.close();
    void queue.close();
    throw error;
  }
}

interface OneParts extends RawParts {
  readonly queue: RawQueue;
  readonly closed: () => void;
  readonly ended: Promise<void>;
}

async function openOne(path: string, parts: OneParts): Promise<RawVolume> {
  const { files, directIo, queue, closed, ended } = parts;
  const descriptor = openDescriptor(files, path);
  const closeDescriptor = () => files.close(descriptor);
  try {
    const shape = readShape(descriptor, path, parts);
    const alignment = await probeMedium({
      name: path,
      logicalBlockBytes: shape.logicalBlockBytes,
      directIo,
      read: (offsetBytes, bytes) =>
        queue.submit({
          operation: "read",
          descriptor,
          offsetBytes,
          bytes,
          direct: true,
          name: path,
        }),
    });
    const sizeBytes = shape.sizeBytes - shape.sizeBytes % alignment.blockBytes;
    const medium = { name: path, descriptor, kind: shape.kind, sizeBytes, ...alignment };
    return new RawVolume(medium, {
      directIo,
      queue,
      ended,
      closeDescriptor: () => {
        closeDescriptor();
        closed();
      },
    });
  } catch (error) {
    closeDescriptor();
    throw error;
  }
}

interface Shape {
  readonly kind: "block" | "file";
  readonly sizeBytes: number;
  readonly logicalBlockBytes: number | null;
}

function readShape(descriptor: number, path: string, { files, directIo }: OneParts): Shape {
  const { type, sizeBytes } = files.statDescriptor(descriptor);
  const isBlock = requireMedium(path, type) === "block";
  const device = isBlock ? directIo.blockDevice(descriptor) : null;
  if (device?.isReadOnly === true) {
    throw new AgentError(
      "volume",
      `Cannot use volume "${path}": it is read-only, need to write it`,
      {
        hint: "Present the device for reading and writing, then `blockdev --setrw`.",
      },
    );
  }
  const shape: Shape = device === null
    ? { kind: "file", sizeBytes, logicalBlockBytes: null }
    : { kind: "block", ...device };
  if (shape.sizeBytes >= 2 * UNIT_BYTES_MAX) return shape;
  throw new AgentError(
    "no_space",
    `Cannot use volume "${path}": found ${shape.sizeBytes} bytes, need ${2 * UNIT_BYTES_MAX}`,
    { hint: "Check that the device is attached, and its size with `lsblk`." },
  );
}

/** @throws AgentError `usage` */
function requireMedium(path: string, type: FileType): "block" | "file" {
  if (type === "block" || type === "file") return type;
  const found = type === "character" ? "character device" : type;
  throw new AgentError(
    "usage",
    `Cannot use volume "${path}": found a ${found}, need a block device or a file`,
    { hint: "Write the path of the shared device under volumes." },
  );
}

/** Looks before it opens: opening a terminal or a tape does something to it. */
function openDescriptor(files: Files, path: string): number {
  try {
    requireMedium(path, files.stat(AT_CWD, path, { follow: true }).type);
    return files.open(AT_CWD, path, { access: "read-write", direct: true });
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw openError(path, cause);
  }
}

const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENXIO", "ENODEV"]);

function openError(path: string, cause: SystemError): AgentError {
  const { errno } = cause;
  if (ABSENT.has(errno)) {
    return new AgentError(
      "not_found",
      `Cannot open volume "${path}": found nothing there (${errno}), need a block device or a file`,
      { cause, hint: "Check that the storage is attached: `ls -l /dev/disk/by-id`." },
    );
  }
  if (errno === "EINVAL") {
    return new AgentError(
      "unsupported",
      `Cannot open volume "${path}": its file system has no direct I/O, need O_DIRECT`,
      { cause, hint: "Use a block device, or a file on ext4 or XFS." },
    );
  }
  return new AgentError(
    "volume",
    `Cannot open volume "${path}": found ${errno}, need to read and write it`,
    { cause, hint: "Check its permissions, and that the device is not read-only." },
  );
}
