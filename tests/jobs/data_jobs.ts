// One backup of a bed's "data": its restore, and what a verification of it finds.

import { VaultReader, verifyError } from "../../agent/vault/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import type { JobBed } from "./job_bed.ts";

export const BACKUP = "web01-20260101T000000Z-aaaaaa";

export function restore(bed: JobBed) {
  const target = bed.path("restored");
  return bed.run({
    type: "restore",
    backup: BACKUP,
    target,
    include: [],
    overwrite: "refuse",
    dryRun: false,
  });
}

/** Findings of `verify --data`. */
export function findings(bed: JobBed): string {
  using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
  const verification = reader.verify(BACKUP, { data: true, subset: null });
  let step = verification.next();
  while (!step.done) step = verification.next();
  return verifyError([step.value])?.message ?? "none";
}
