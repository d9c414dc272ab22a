// What the composition root hands to a daemon: types only.

import type { Mechanism, Runtime, Thread } from "../transport/mod.ts";
import type { Audit } from "./audit_log.ts";
import type { CertificateView } from "./control/certificate_view.ts";
import type { VolumeSource } from "./job/mod.ts";
import type { OpenVolumes } from "./stg/mod.ts";

export interface DaemonParts {
  readonly runtime: Runtime;
  /** The network mechanism of the main thread. */
  readonly network: Mechanism;
  readonly openVolumes: (
    source: VolumeSource,
    hostName: string,
  ) => OpenVolumes | Promise<OpenVolumes>;
  /** The certificates that `tls` names, and how long they are good for. */
  readonly certificates: () => CertificateView[];
  /** Notes who did what. */
  readonly audit: Audit;
  /** What starts this program; its arguments follow. */
  readonly command: readonly string[];
  /** Starts the worker of a job. */
  readonly startThread: () => Thread;
  /** Gives a worker the network as it is configured now: before each of its jobs. */
  readonly equipThread: (thread: Thread) => void;
  /** Starts a thread that writes small files for a job. */
  readonly startWriter: () => Thread;
  /** Ends the process with exit code 70: one of our own invariants broke. */
  readonly onAssertion: (message: string) => void;
  /** Tells the operator something that belongs in the log. */
  readonly log: (level: "info" | "warning" | "error", message: string) => void;
}

/** The version that `--version` and `/v1/status` show; package.json has the same. */
export const VERSION = "0.1.0";
