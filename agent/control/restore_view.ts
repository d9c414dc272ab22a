// What a restore does, or would do, with the objects of its target, as the control endpoint tells
// it: types only.

import type { Verdict } from "../verdict.ts";

/** Entries and content bytes by what a restore does with them. */
export type VerdictCounts = {
  readonly [key in Verdict]: { readonly files: number; readonly bytes: number };
};

/** What a restore would do with one entry. */
export interface RestoreItemView {
  readonly type: "item";
  readonly action: Verdict;
  /** Full source path; lossy when not UTF-8, then `pathBase64` has the bytes. */
  readonly path: string;
  readonly pathBase64: string | null;
  /** Type of the entry. */
  readonly kind: string;
  readonly bytes: number;
}

/** A part of what a dry run of a restore found. */
export interface RestorePart {
  readonly type: "restore";
  readonly job: string;
  readonly items: readonly RestoreItemView[];
}
