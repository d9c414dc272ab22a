// Vaults for tests: opened, filled, and with files that fail at a chosen call.

import { AgentError } from "../../../../transport/ground/error.ts";
import { SystemError } from "../../../../transport/runtime/mod.ts";
import type { Files } from "../../../../transport/runtime/mod.ts";
import type { BackupResult, MediaLabel } from "../../../../agent/media/mod.ts";
import type { BackupRange } from "../../../../agent/wal/mod.ts";
import { Vault, VaultWriter } from "../../../../agent/vault/mod.ts";
import {
  clock,
  files,
  makeArchive,
  makeLabel,
  makeRecords,
  makeResult,
  random,
  sampleMembers,
} from "../media/media_fixture.ts";
import type { Archive } from "../media/media_fixture.ts";

export function openVault(directory: string, through: Files = files): Vault {
  return Vault.open({ directory, files: through, clock, random });
}

export interface PublishFields {
  readonly label?: Partial<MediaLabel>;
  readonly result?: Partial<BackupResult>;
  readonly archive?: Archive;
  readonly frameBytes?: number;
  readonly through?: Files;
  readonly range?: BackupRange;
}

/** Publishes one backup into a vault that is open. */
export function publish(directory: string, fields: PublishFields = {}): void {
  using writer = VaultWriter.open({ directory, files: fields.through ?? files });
  const backup = writer.begin(makeLabel(fields.label));
  const archive = fields.archive ?? makeArchive(sampleMembers());
  for (const record of makeRecords(archive, fields.frameBytes)) backup.append(record);
  backup.sync();
  backup.publish(makeResult(fields.result), fields.range);
}

/** What `body` throws as an AgentError's code. */
export function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

/** Thrown by files of a process that is dead. */
export class Crash extends Error {}

export interface FailingFiles extends Files {
  /** Changing calls so far. */
  readonly calls: number;
  /** Closes what a dead process would no longer hold. */
  bury(): void;
}

const CHANGING: readonly (keyof Files)[] = [
  "open",
  "writeAll",
  "writeAllAt",
  "sync",
  "truncate",
  "rename",
  "link",
  "unlink",
  "makeDirectory",
];

/**
 * Files that fail at the `failAt`-th changing call (1 is the first).
 * "crash": that call and every later one throws, as for a process that died before it; "torn" lets
 * a write reach half its bytes first; "ENOSPC" and "EIO" fail once the call is reached, for calls
 * that need space.
 */
export function failingFiles(
  failAt: number,
  how: "crash" | "torn" | "ENOSPC" | "EIO",
): FailingFiles {
  const open = new Set<number>();
  let calls = 0;
  const bury = () => {
    for (const descriptor of open) files.close(descriptor);
    open.clear();
  };
  return new Proxy(files, {
    get(target, key: keyof Files | "calls" | "bury") {
      if (key === "calls") return calls;
      if (key === "bury") return bury;
      const call = target[key];
      if (typeof call !== "function") return call;
      return (...parameters: unknown[]) => {
        if (CHANGING.includes(key)) calls++;
        const dead = calls >= failAt;
        if (dead && (how === "crash" || how === "torn")) {
          const [descriptor, offset, bytes] = parameters;
          if (calls === failAt && how === "torn" && key === "writeAllAt") {
            if (
              typeof descriptor === "number" && typeof offset === "number" &&
              bytes instanceof Uint8Array
            ) {
              files.writeAllAt(descriptor, offset, bytes.subarray(0, bytes.length >> 1));
            }
          }
          throw new Crash(`${key} of a dead process`);
        }
        if (dead && ["open", "writeAllAt", "sync", "makeDirectory"].includes(key)) {
          const creates = key !== "open" || JSON.stringify(parameters).includes("create");
          if (creates) throw new SystemError(how, key, String(parameters[1]));
        }
        const result: unknown = Reflect.apply(call, target, parameters);
        if (key === "open" && typeof result === "number") open.add(result);
        if (key === "close" && typeof parameters[0] === "number") open.delete(parameters[0]);
        return result;
      };
    },
  }) as FailingFiles;
}

/** What of a file cannot be read: its bytes from one offset to another, or without them all. */
export interface Unreadable {
  readonly path: string;
  readonly errno: string;
  readonly from?: number;
  readonly to?: number;
}

/** Files of which one is unreadable: opening it fails, or reading what lies in bad sectors. */
export function unreadableFiles({ path, errno, from, to = Infinity }: Unreadable): Files {
  const opened = new Set<number>();
  const bad: Pick<Files, "open" | "readAt"> = {
    open(directory, name, flags) {
      const isBad = name === path;
      if (isBad && from === undefined) throw new SystemError(errno, "open", path);
      const descriptor = files.open(directory, name, flags);
      if (isBad) opened.add(descriptor);
      else opened.delete(descriptor);
      return descriptor;
    },
    readAt(descriptor, offset, into) {
      const isMet = from !== undefined && offset < to && offset + into.length > from;
      if (isMet && opened.has(descriptor)) throw new SystemError(errno, "pread", path);
      return files.readAt(descriptor, offset, into);
    },
  };
  return new Proxy(files, {
    get(target, key: keyof Files) {
      if (key === "open" || key === "readAt") return bad[key];
      const call = target[key];
      return typeof call === "function" ? call.bind(target) : call;
    },
  });
}
