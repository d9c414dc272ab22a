// Removes an array: boards, device files, locks, array.json, and the directory if it is then empty.
//
// array.json goes last, so that a removal that was killed can be repeated.

import { ArrayDirectory, type ArrayParts, onArrayFiles, removeIfThere } from "./array_directory.ts";
import { removeEmpty, removeParts } from "./create_array.ts";
import { withArrayAlone } from "./open_array.ts";

/** @throws AgentError `busy` when somebody is attached | `not_found` | `failed` | `damaged` */
export function removeArray(path: string, parts: ArrayParts): void {
  const directory = new ArrayDirectory(path);
  const { files } = parts;
  onArrayFiles(directory.path, () =>
    withArrayAlone(directory, parts, "remove", (geometry) => {
      removeParts(files, directory, geometry);
      removeIfThere(files, `${directory.growthPath}.new`);
      removeIfThere(files, directory.faultsPath);
      removeIfThere(files, directory.firedPath);
      removeIfThere(files, directory.directorLockPath);
      removeIfThere(files, directory.arrayLockPath);
      removeIfThere(files, directory.setupLockPath);
      removeIfThere(files, directory.geometryPath);
      removeEmpty(files, directory.path);
    }));
}
