// The end of a process between any two of its stores, simulated: the shared memory and the files
// that an attachment gets stop working after a number of stores, with the last copy half done.

import type { ArrayParts } from "../../../emulator/mod.ts";
import type { Files } from "../../../transport/runtime/files.ts";
import type { SharedMemories, SharedMemory } from "../../../transport/runtime/runtime.ts";
import { filesOver } from "./files_over.ts";

/** Thrown in place of the end of the process. */
export class Killed extends Error {}

/** Counts stores down; the one that reaches zero, and all after it, do not happen. */
export class KillSwitch {
  storesLeft = Infinity;

  spend(): boolean {
    if (this.storesLeft <= 0) throw new Killed("after the end");
    return --this.storesLeft <= 0;
  }
}

export function mortalParts(parts: ArrayParts, kill: KillSwitch): ArrayParts {
  const { memories, files } = parts;
  return { ...parts, memories: mortalMemories(memories, kill), files: mortalFiles(files, kill) };
}

function mortalMemories(memories: SharedMemories, kill: KillSwitch): SharedMemories {
  return {
    map(path, sizeBytes): SharedMemory {
      const inner = memories.map(path, sizeBytes);
      return {
        sizeBytes,
        read: (offsetBytes, into) => inner.read(offsetBytes, into),
        load32: (offsetBytes) => inner.load32(offsetBytes),
        write(offsetBytes, from): void {
          const last = kill.spend();
          inner.write(offsetBytes, last ? from.subarray(0, from.length / 2) : from);
          if (last) throw new Killed("in a copy");
        },
        store32(offsetBytes, value): void {
          if (kill.spend()) throw new Killed("before a store");
          inner.store32(offsetBytes, value);
        },
        close: () => inner.close(),
      };
    },
  };
}

/** Device files and the pending map; what only reads or locks goes on. */
function mortalFiles(files: Files, kill: KillSwitch): Files {
  return filesOver(files, {
    writeAllAt(descriptor: number, offsetBytes: number, from: Uint8Array): void {
      if (!kill.spend()) return files.writeAllAt(descriptor, offsetBytes, from);
      // Two bytes are written whole or not at all, data in pages.
      files.writeAllAt(descriptor, offsetBytes, from.subarray(0, from.length & ~0x1fff));
      throw new Killed("in a file");
    },
  });
}
