// The peers that are other people's programs, as commands. Each archives to a folder of its own and
// restores from it. restic and Borg run at their defaults, Borg without encryption.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { needTool } from "../../demonstration/run_tool.ts";
import { type Cost, measureCommand } from "./measure_command.ts";

export interface BackupPeer {
  /** Makes what the program wants to have before its first backup; not measured. */
  prepare(): Promise<void>;
  backUp(source: string): Promise<Cost>;
  /** Restores what was backed up last below `target`, which is empty. */
  restore(target: string): Promise<Cost>;
  /** Where the archive lies. */
  readonly archive: string;
}

interface Commands {
  readonly prepare: readonly string[];
  backUp(source: string): readonly string[];
  restore(target: string): readonly string[];
}

function peerOf(folder: string, name: string, commandsOf: (archive: string) => Commands) {
  const archive = join(folder, name);
  const commands = commandsOf(archive);
  return {
    archive,
    prepare: async () => {
      mkdirSync(archive);
      await needTool(commands.prepare);
    },
    backUp: (source: string) => measureCommand(folder, commands.backUp(source)),
    restore: (target: string) => measureCommand(folder, commands.restore(target), target),
  };
}

/** A script with arguments, of which `$1` is the first. */
function shell(script: string, ...args: readonly string[]): readonly string[] {
  return ["bash", "-o", "pipefail", "-c", script, "bash", ...args];
}

export function tarPeer(folder: string): BackupPeer {
  return peerOf(folder, "tar", (archive) => ({
    prepare: ["true"],
    backUp: (source) =>
      shell('tar -C / -c "${1#/}" | zstd -q -3 -T0 > "$2"', source, join(archive, "tar.zst")),
    restore: (target) => shell('zstd -dcq "$1" | tar -x -C "$2"', join(archive, "tar.zst"), target),
  }));
}

export function resticPeer(folder: string): BackupPeer {
  return peerOf(folder, "restic", (archive) => {
    const program = [
      ...["env", "RESTIC_PASSWORD=bench", "restic", "--quiet"],
      ...["--repo", join(archive, "repository"), "--cache-dir", join(archive, "cache")],
    ];
    return {
      prepare: [...program, "init"],
      backUp: (source) => [...program, "backup", source],
      restore: (target) => [...program, "restore", "latest", "--target", target],
    };
  });
}

export function borgPeer(folder: string): BackupPeer {
  return peerOf(folder, "borg", (archive) => {
    const repository = join(archive, "repository");
    const program = [
      "env",
      `BORG_BASE_DIR=${archive}`,
      "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes",
      "borg",
    ];
    return {
      prepare: [...program, "init", "--encryption=none", repository],
      backUp: (source) => [...program, "create", `${repository}::bench`, source],
      restore: () => [...program, "extract", `${repository}::bench`],
    };
  });
}
