// Which failed system calls mean that the medium is broken: they end a restore, all others concern
// one object.

import type { SystemError } from "../../transport/runtime/files.ts";

export function isMediumFailure(error: SystemError): boolean {
  return error.errno === "EIO" || error.errno === "EROFS";
}
