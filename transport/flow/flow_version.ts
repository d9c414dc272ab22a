// Version negotiation of the job protocol: both sides name a range, the highest common one wins.
//
//   1  the first
//   2  the messages of a file-system job's network connections are acknowledged, and the server may
//      connect again in mid-job
//   3  a file-system backup has rules as .gitignore, and more, of what it leaves out
//   4  a file-system backup may go on from one that was cut
//   5  a database job may archive a write-ahead log, and say what range of it a backup needs

import { AgentError } from "../ground/error.ts";
import type { Hello } from "./flow_messages.ts";

/** Versions that this program speaks. */
export const VERSION_MIN = 1;
export const VERSION_MAX = 5;

/** The first version in which a file-system job outlives its network connections. */
export const REJOIN_VERSION = 2;

/** The first version in which a client knows all of what a backup may leave out. */
export const SELECTION_VERSION = 3;

/** The first version in which a backup goes on from one that was cut. */
export const RESUME_VERSION = 4;

/** The first version in which a server knows write-ahead logs. */
export const WAL_VERSION = 5;

/**
 * The version both sides speak.
 * @throws AgentError `mismatch` that names both ranges
 */
export function negotiateVersion(peer: Hello): number {
  const version = Math.min(VERSION_MAX, peer.versionMax);
  if (version < VERSION_MIN || version < peer.versionMin) {
    throw new AgentError(
      "mismatch",
      `Cannot talk to "${peer.name}": it speaks versions ${peer.versionMin} to ` +
        `${peer.versionMax}, need one of ${VERSION_MIN} to ${VERSION_MAX}`,
      { hint: "Install the same release of the agent on both hosts." },
    );
  }
  return version;
}
