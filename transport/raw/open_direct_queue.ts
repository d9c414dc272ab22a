// Opens the kernel's queue, or says why there is none.
//
// There is no fallback to synchronous calls: a disk that hangs would hold up the thread, and with
// it heartbeats and the control endpoint, for as long as it hangs.

import { AgentError } from "../ground/error.ts";
import type { DirectIo, DirectQueue } from "../runtime/direct_io.ts";
import { SystemError } from "../runtime/files.ts";

/** @throws AgentError `no_space` (the host's limit is reached) | `unsupported` */
export function openDirectQueue(directIo: DirectIo, requests: number): DirectQueue {
  try {
    return directIo.openQueue(requests);
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    if (cause.errno === "EAGAIN" || cause.errno === "ENOMEM") {
      throw new AgentError(
        "no_space",
        `Cannot open a queue for raw volumes: ${cause.errno}, need room for ${requests} requests`,
        { cause, hint: "Raise the kernel's limit, for example `sysctl fs.aio-max-nr=1048576`." },
      );
    }
    throw new AgentError(
      "unsupported",
      `Cannot open a queue for raw volumes: ${cause.errno}, need a kernel with asynchronous I/O`,
      { cause, hint: "Permit the system calls io_setup, io_submit and io_getevents." },
    );
  }
}
