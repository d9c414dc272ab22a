// Directories that a daemon writes to: there, ours to write, with room.

import { posix } from "node:path";
import { AT_CWD, type FileStat, type Runtime, SystemError } from "../../transport/mod.ts";
import { type Config, formatSize } from "../config/mod.ts";
import { doubtful, failed, type Finding, good, wrong } from "./finding.ts";
import { FREE_BYTES_LOW, FREE_BYTES_MIN } from "./limits.ts";

const HINT = "Free space there, or name another directory in the configuration.";

type PlaceParts = Pick<Runtime, "files" | "process">;

export function checkPlaces(parts: PlaceParts, config: Config): readonly Finding[] {
  const places = config.role === "server"
    ? [["vault", config.vault]] as const
    : [["state", config.state], ["spool", config.spool]] as const;
  const findings = places.map(([check, path]) => checkPlace(parts, { check, path, room: true }));
  const { control } = config;
  if (control.kind === "http") return findings;
  const path = posix.dirname(control.path);
  return [...findings, checkPlace(parts, { check: "control", path, room: false })];
}

function checkPlace(
  { files, process }: PlaceParts,
  { check, path, room }: { readonly check: string; readonly path: string; readonly room: boolean },
): Finding {
  const said = { check, subject: path };
  try {
    const found = existing(files, path);
    const { type, mode } = found.stat;
    if (type !== "directory") {
      return wrong(said, `"${found.path}" is a ${type}, need a directory`, "Move it away.");
    }
    if (!mayWrite(found.stat, process.user)) {
      return wrong(
        said,
        `user ${process.user.uid} may not write to "${found.path}" (mode ${mode.toString(8)})`,
        `Run \`chown\` for the user of the unit, or run the doctor as that user.`,
      );
    }
    const { freeBytes } = files.fileSystem(found.path);
    const made = found.path === path ? "" : ", will be made";
    const text = `${formatSize(freeBytes)} free${made}`;
    const more = check === "vault" ? "Free space, or let backups expire: `agent expire`." : HINT;
    if (room && freeBytes < FREE_BYTES_MIN) return wrong(said, text, more);
    if (room && freeBytes < FREE_BYTES_LOW) return doubtful(said, text, more);
    return good(said, text);
  } catch (error) {
    return failed(said, error);
  }
}

/** The directory, or the nearest one above it that exists. */
function existing(files: Runtime["files"], path: string): { path: string; stat: FileStat } {
  try {
    return { path, stat: files.stat(AT_CWD, path, { follow: true }) };
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "ENOENT" || path === "/") throw error;
    return existing(files, posix.dirname(path));
  }
}

/** By the mode's bits: further groups are not known here, so the group's count for everybody. */
function mayWrite({ mode, uid }: FileStat, user: { readonly uid: number }): boolean {
  if (user.uid === 0) return true;
  const bits = user.uid === uid ? mode >> 6 : (mode >> 3) | mode;
  return (bits & 0o3) === 0o3;
}
