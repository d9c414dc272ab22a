// Cuts what is too long in a document before it is sent, so that the peer takes it: a path of 64
// KiB is legal, and what is said of one has no length of its own. What was cut says so. Pure.

import type { ErrorRecord, FlowStep } from "../../transport/mod.ts";
import {
  CALL_LENGTH_MAX,
  DETAIL_LENGTH_MAX,
  TEXT_LENGTH_MAX,
  TRACE_STEPS_MAX,
  WARNING_PATH_BYTES_MAX,
} from "./limits.ts";
import type { LinkDocument } from "./link_document.ts";

/** The document as the peer takes it; what cannot be cut stays as it is. */
export function boundedDocument(document: LinkDocument): LinkDocument {
  switch (document.type) {
    case "error":
    case "wal-refused":
      return { ...document, error: boundedError(document.error) };
    case "warning": {
      const { message, path } = document;
      return { ...document, message: cut(message, TEXT_LENGTH_MAX), path: path && cutPath(path) };
    }
    case "trace":
      return { ...document, steps: boundedSteps(document.steps) };
    case "storage-lost":
    case "fall-back":
      return { ...document, detail: cut(document.detail, DETAIL_LENGTH_MAX) };
    case "backup-filesystem":
    case "restore-filesystem":
    case "survey-filesystem":
      return { ...document, fallback: boundedFallback(document.fallback) };
    case "validated":
      return { ...document, storage: boundedFallback(document.storage) };
    default:
      return document;
  }
}

/** Stands for this step and those after it. */
export function leftOut(step: FlowStep): FlowStep {
  return { ...step, step: "", call: "further steps are left out", skipped: true };
}

function boundedError({ message, hint, ...error }: ErrorRecord): ErrorRecord {
  const bounded = { ...error, message: cut(message, TEXT_LENGTH_MAX) };
  return hint === undefined ? bounded : { ...bounded, hint: cut(hint, TEXT_LENGTH_MAX) };
}

function boundedFallback<T extends { readonly detail: string }>(fallback: T | null): T | null {
  return fallback && { ...fallback, detail: cut(fallback.detail, DETAIL_LENGTH_MAX) };
}

function boundedSteps(steps: readonly FlowStep[]): FlowStep[] {
  return steps.slice(0, TRACE_STEPS_MAX).map((step, index) =>
    index === TRACE_STEPS_MAX - 1 && steps.length > TRACE_STEPS_MAX
      ? leftOut(step)
      : { ...step, call: cut(step.call, CALL_LENGTH_MAX) }
  );
}

/** Leaves out the middle: what was done stands first, what was found last. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const gap = " […] ";
  const head = Math.ceil((max - gap.length) / 2);
  return text.slice(0, head) + gap + text.slice(text.length - (max - gap.length - head));
}

/** Its first bytes. */
function cutPath(base64: string): string {
  return base64.slice(0, WARNING_PATH_BYTES_MAX / 3 * 4);
}
