// The named pipes of one job: fifos in a directory of their own, which only their owner may enter.
//
// Invariant: disposing of it removes the pipes and the directory, whoever has them open still.

import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";
import type { UserId } from "../../../transport/runtime/local_socket.ts";

export interface PipePlace {
  /** Full path of the directory, which is made. */
  readonly directory: string;
  /** Whose programs use the pipes; null: those of our own user. */
  readonly owner: UserId | null;
}

const DIRECTORY_MODE = 0o700;
const PIPE_MODE = 0o600;
const NO_DEVICE = { major: 0, minor: 0 };

export class PipeFolder implements Disposable {
  readonly paths: readonly string[];
  readonly #files: Files;
  readonly #directory: string;

  private constructor(files: Files, directory: string, count: number) {
    this.#files = files;
    this.#directory = directory;
    this.paths = Array.from({ length: count }, (_, index) => `${directory}/${index + 1}`);
  }

  /** @throws AgentError `failed` when they cannot be made */
  static make(files: Files, { directory, owner }: PipePlace, count: number): PipeFolder {
    const folder = new PipeFolder(files, directory, count);
    try {
      files.makeDirectory(AT_CWD, directory, DIRECTORY_MODE);
      for (const path of folder.paths) {
        files.makeNode(AT_CWD, path, "fifo", PIPE_MODE, NO_DEVICE);
        if (owner !== null) files.changeOwner(AT_CWD, path, owner.uid, owner.gid);
      }
      if (owner !== null) files.changeOwner(AT_CWD, directory, owner.uid, owner.gid);
    } catch (error) {
      folder[Symbol.dispose]();
      if (!(error instanceof SystemError)) throw error;
      const message = `Cannot make the pipes in "${directory}": ${error.message}`;
      throw new AgentError("failed", message, {
        hint: "Check the key `spool`, and run the agent as root to give pipes to `pipe_owner`.",
      });
    }
    return folder;
  }

  [Symbol.dispose](): void {
    for (const path of this.paths) removeIfThere(this.#files, path, false);
    removeIfThere(this.#files, this.#directory, true);
  }
}

function removeIfThere(files: Files, path: string, directory: boolean): void {
  try {
    files.unlink(AT_CWD, path, { directory });
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "ENOENT") throw error;
  }
}
