// Parts of an array whose device files a test watches: each read is a stage, each write a destage.

import type { ArrayParts } from "../../../emulator/mod.ts";
import type { Files, OpenFlags, PathBytes } from "../../../transport/runtime/files.ts";
import { filesOver } from "./files_over.ts";

export interface DeviceAccess {
  readonly operation: "stage" | "destage";
  readonly offsetBytes: number;
  readonly bytes: number;
}

/** @param onAccess called before each access; what it throws fails the access */
export function watchDevices(
  parts: ArrayParts,
  onAccess: (access: DeviceAccess) => void,
): ArrayParts {
  const devices = new Set<number>();
  const { files } = parts;
  const watched: Partial<Files> = {
    open(directory: number, path: PathBytes, flags: OpenFlags): number {
      const descriptor = files.open(directory, path, flags);
      if (String(path).endsWith(".dev")) devices.add(descriptor);
      else devices.delete(descriptor);
      return descriptor;
    },
    readAt(descriptor: number, offsetBytes: number, into: Uint8Array): number {
      if (devices.has(descriptor)) {
        onAccess({ operation: "stage", offsetBytes, bytes: into.length });
      }
      return files.readAt(descriptor, offsetBytes, into);
    },
    writeAllAt(descriptor: number, offsetBytes: number, from: Uint8Array): void {
      if (devices.has(descriptor)) {
        onAccess({ operation: "destage", offsetBytes, bytes: from.length });
      }
      files.writeAllAt(descriptor, offsetBytes, from);
    },
  };
  return { ...parts, files: filesOver(files, watched) };
}
