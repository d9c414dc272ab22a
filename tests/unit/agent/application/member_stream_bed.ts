// Tar members by hand, and random streams of them: few paths, so that what comes later often meets
// what came before at the same path, in any type.

import type { Entry, EntryType, Xattr } from "../../../../agent/entry.ts";
import type { TarPieces } from "../../../../agent/record.ts";
import { encodeMemberHeader, paddingBytes } from "../../../../agent/tar/mod.ts";
import type { SeededRandom } from "../../../simulation/seeded_random.ts";
import { shell } from "./fixture.ts";

export interface MemberOptions extends Partial<Omit<Entry, "target" | "path" | "type">> {
  readonly content?: string;
  readonly target?: string;
}

export function member(
  path: string,
  type: EntryType,
  options: MemberOptions = {},
  xattrs: readonly Xattr[] = [],
): Uint8Array {
  const { content = "", target, ...fields } = options;
  const entry: Entry = {
    path: Buffer.from(path),
    type,
    mode: type === "directory" ? 0o755 : 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    sizeBytes: content.length,
    mtimeNs: 1_000_000_000n,
    ctimeNs: 0n,
    inode: 0n,
    target: target === undefined ? null : Buffer.from(target),
    rdev: null,
    ...fields,
  };
  const padding = new Uint8Array(paddingBytes(content.length));
  return Buffer.concat([encodeMemberHeader(entry, { xattrs }), Buffer.from(content), padding]);
}

export function frame(sequence: number, tar: Uint8Array): TarPieces {
  return { sequence, tar, pieces: [{ offset: 0, length: tar.length }] };
}

const NAMES = ["a", "b", "c", "d"];
const TYPES: readonly EntryType[] = ["file", "file", "file", "directory", "symlink", "hardlink"];

/** The tar bytes of frames: the first ones are small files, so that a second thread is asked for. */
export function randomStream(random: SeededRandom): Uint8Array[] {
  const pick = <T>(from: readonly T[]) => from[random.below(from.length)] as T;
  const paths = () => {
    const depth = 1 + random.below(3);
    return Array.from({ length: depth }, () => `/${pick(NAMES)}`).join("");
  };
  const fileOf = (path: string) => {
    const content = "x".repeat(random.below(4) === 0 ? 0 : random.below(900));
    const mode = pick([0o644, 0o600, 0o755, 0o400]);
    return member(path, "file", { content, mode, mtimeNs: BigInt(random.below(1000)) });
  };
  const members = [fileOf("/z/1"), fileOf("/z/2")];
  for (let left = 60; left > 0; left--) {
    const [path, type] = [paths(), pick(TYPES)];
    if (type === "file") members.push(fileOf(path));
    else if (type === "directory") {
      members.push(member(path, type, { mtimeNs: BigInt(left) * 1_000_000n }));
    } else members.push(member(path, type, { target: paths() }));
  }
  const frames: Uint8Array[] = members.splice(0, 2);
  while (members.length > 0) {
    const together = Buffer.concat(members.splice(0, 1 + random.below(6)));
    // Now and then a member goes on in the next frame.
    const cut = random.below(3) === 0 ? random.below(together.length) : together.length;
    frames.push(together.subarray(0, cut), together.subarray(cut));
  }
  return frames.filter(({ length }) => length > 0);
}

/** All objects of a tree; times of those that nothing was said of are left out. */
export function streamPicture(folder: string): string {
  const lines = shell(folder, "find . -printf '%P %y %m %s %l %n %T@\\n' | sort").split("\n");
  return lines.map((line) => line.replace(/ \d+( \S*)? (\d{4,}\.\d+)$/, "$1 now")).join("\n");
}
