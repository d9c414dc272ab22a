// Removes an array: boards, device files, locks, array.json, and the directory if it is then empty.
//
// array.json goes last, so that a removal that was killed can be repeated.

import { AgentError } from "../transport/ground/error.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  onArrayFiles,
  readGeometry,
  removeIfThere,
} from "./array_directory.ts";
import { removeEmpty, removeParts } from "./create_array.ts";
import { FileLock } from "./file_lock.ts";
import { PROBE_WAIT_MS } from "./limits.ts";
import { withSetupLock } from "./open_array.ts";

/** @throws AgentError `busy` when somebody is attached | `not_found` | `failed` | `damaged` */
export function removeArray(path: string, parts: ArrayParts): void {
  const directory = new ArrayDirectory(path);
  const { files } = parts;
  const geometry = readGeometry(files, directory);
  onArrayFiles(directory.path, () =>
    withSetupLock(directory, parts, () => {
      const lock = new FileLock(directory.arrayLockPath, parts);
      try {
        if (!lock.take("exclusive", PROBE_WAIT_MS)) {
          throw new AgentError(
            "busy",
            `Cannot remove array "${directory.path}": in use, need nobody attached`,
            { hint: "Stop the agents that name it in their stgs first." },
          );
        }
        removeParts(files, directory, geometry);
        removeIfThere(files, directory.faultsPath);
        removeIfThere(files, directory.firedPath);
        removeIfThere(files, directory.directorLockPath);
        removeIfThere(files, directory.arrayLockPath);
        removeIfThere(files, directory.setupLockPath);
        removeIfThere(files, directory.geometryPath);
        removeEmpty(files, directory.path);
      } finally {
        lock.close();
      }
    }));
}
