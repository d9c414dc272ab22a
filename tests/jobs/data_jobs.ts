// Backups of a bed's "data": their restore, and what a verification of them finds.

import { SETTLED_AFTER_MS } from "../../agent/application/limits.ts";
import { VaultReader, verifyError } from "../../agent/vault/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import type { StpBed } from "../unit/transport/stp/stp_bed.ts";
import type { JobBed } from "./job_bed.ts";

export const BACKUP = "web01-20260101T000000Z-aaaaaa";

export function restore(bed: JobBed<StpBed>, backup: string = BACKUP) {
  const target = bed.path("restored");
  return bed.run({
    type: "restore",
    backup,
    target,
    include: [],
    overwrite: "refuse",
    dryRun: false,
  });
}

/** Findings of `verify --data`. */
export function findings(bed: JobBed<StpBed>, backup: string = BACKUP): string {
  using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
  const verification = reader.verify(backup, { data: true, subset: null });
  let step = verification.next();
  while (!step.done) step = verification.next();
  return verifyError([step.value])?.message ?? "none";
}

/** What was written just before it is looked at comes again with the next backup. */
export async function settle(): Promise<void> {
  const { clock } = runtime;
  const settledMs = clock.monotonicMs() + SETTLED_AFTER_MS;
  while (clock.monotonicMs() <= settledMs) await clock.yield();
}
