// The socket for a database's log: whether the user that it is for gets to it.

import { posix } from "node:path";
import {
  AT_CWD,
  type FileStat,
  type Runtime,
  SystemError,
  type UserId,
} from "../../transport/mod.ts";
import type { Config } from "../config/mod.ts";
import { findUser } from "../postgresql/mod.ts";
import { failed, type Finding, good, wrong } from "./finding.ts";

export async function checkWalSocket(
  { files, process }: Pick<Runtime, "files" | "process">,
  config: Config,
): Promise<readonly Finding[]> {
  if (config.role !== "client" || config.walSocket === null) return [];
  const { path, user } = config.walSocket;
  const said = { check: "wal_socket", subject: path };
  try {
    const owner = await findUser(process, user);
    for (const directory of directoriesOf(path)) {
      const stat = statOf(files, directory);
      // What is missing from here on the daemon makes, for that user to pass.
      if (stat === null) break;
      if (maySearch(stat, owner)) continue;
      const found = `mode ${(stat.mode & 0o7777).toString(8)}`;
      const message = `user "${user}" may not pass through "${directory}" (${found})`;
      const hint = `Run \`chmod o+x ${directory}\`, or choose another path for wal_socket.`;
      return [wrong(said, message, hint)];
    }
    return [good(said, `in reach of user "${user}"`)];
  } catch (error) {
    return [failed(said, error)];
  }
}

/** "/", "/run", "/run/agent" of "/run/agent/wal.sock". */
function directoriesOf(path: string): readonly string[] {
  const parent = posix.dirname(path);
  return parent === path ? [] : [...directoriesOf(parent), parent];
}

function statOf(files: Runtime["files"], path: string): FileStat | null {
  try {
    return files.stat(AT_CWD, path, { follow: true });
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return null;
    throw error;
  }
}

/** By the mode's bits: further groups are not known here, so the group's count for everybody. */
function maySearch({ mode, uid }: FileStat, user: UserId): boolean {
  if (user.uid === 0) return true;
  const bits = user.uid === uid ? mode >> 6 : (mode >> 3) | mode;
  return (bits & 0o1) === 0o1;
}
