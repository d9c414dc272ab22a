// Plain files for tests of raw volumes, in a folder that is removed when it is disposed of.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRawVolumes, type RawVolume } from "../../../../transport/raw/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

export const runtime = await currentRuntime();

export class RawFiles implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "raw-test-"));

  /** An empty file of this size. */
  make(name: string, sizeBytes: number): string {
    const path = join(this.folder, name);
    writeFileSync(path, "");
    truncateSync(path, sizeBytes);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function openRaw(path: string): Promise<RawVolume> {
  const [volume] = await openRawVolumes([path], runtime);
  if (volume === undefined) throw new Error("one path is one volume");
  return volume;
}
