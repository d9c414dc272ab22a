// The last net for failed system calls: one that nobody met closer, where more is known of it, is
// still a trouble of the machine (rights, space, descriptors), not a bug of ours (exit 70).

import { AgentError, SystemError } from "../transport/mod.ts";

const SPACE = "Free space on the file system, then try again.";
const RIGHTS = "Give the user that runs the agent access to it.";
const DESCRIPTORS = "Raise the limit of open files (`LimitNOFILE=` in the unit, `ulimit -n`).";
const DISK = "Look at the disk and at the kernel's log.";

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: SPACE,
  EDQUOT: SPACE,
  EACCES: RIGHTS,
  EPERM: RIGHTS,
  EROFS: RIGHTS,
  EMFILE: DESCRIPTORS,
  ENFILE: DESCRIPTORS,
};

/**
 * Makes an AgentError `failed` or `no_space` of a SystemError; anything else passes.
 * @param doing what was done, as in "Cannot <doing>"
 */
export function operatingError(thrown: unknown, doing: string): unknown {
  if (!(thrown instanceof SystemError)) return thrown;
  const { errno, message } = thrown;
  const full = errno === "ENOSPC" || errno === "EDQUOT";
  return new AgentError(
    full ? "no_space" : "failed",
    `Cannot ${doing}: found ${message}, need ${full ? "free space" : "the call to work"}`,
    { hint: HINTS[errno] ?? DISK, cause: thrown },
  );
}
