// Whether this machine lets us have two hosts: network namespaces, a shaped link between them, and
// a loop device. Found by trying, since containers forbid these in many ways.

import { HostPair } from "./host_pair.ts";
import { SharedLun } from "./shared_lun.ts";

/** Bytes of the device that is tried. */
const TRIED_BYTES = 1024 * 1024;

/** The reason why not, as a sentence; null when everything is permitted. */
export async function whyNotTwoHosts(): Promise<string | null> {
  try {
    await using pair = await HostPair.make();
    using _lun = await SharedLun.make(TRIED_BYTES);
    await pair.lanBytes();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
