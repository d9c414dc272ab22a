// Files that a process which was killed half way leaves beside those of an array: each file gets
// its name only when it is whole, and is called NAME.new until then.

import type { Files } from "../transport/runtime/files.ts";
import { exists } from "./array_directory.ts";
import { type ArrayPlace, boardNumbers } from "./system_bus.ts";

/** The paths of those that are there. */
export function leftovers(files: Files, { directory, geometry }: ArrayPlace): readonly string[] {
  const paths = [
    directory.newGeometryPath,
    `${directory.pendingPath}.new`,
    ...boardNumbers(geometry).map((board) => `${directory.boardPath(geometry, board)}.new`),
  ];
  return paths.filter((path) => exists(files, path));
}
