// Schema of `retention:`, at the top of a server's configuration and of each client.

import { z } from "zod";
import type { Retention } from "./config.ts";
import { refuse, section, showValue } from "./issue_text.ts";
import { MAX_KEEP_COUNT, MAX_KEEP_WITHIN_MS, MIN_KEEP_WITHIN_MS } from "./limits.ts";
import { parseDuration } from "./quantity.ts";

const keepCount = z.int().min(1).max(MAX_KEEP_COUNT).optional();

const keepWithin = z.union([z.string(), z.number()], {
  error: () => "need a duration",
}).transform((value, context): number => {
  const ms = typeof value === "string" ? parseDuration(value) : null;
  if (ms !== null && ms >= MIN_KEEP_WITHIN_MS && ms <= MAX_KEEP_WITHIN_MS) return ms;
  refuse(
    context,
    `found ${showValue(value)}, need a duration of 1h to ${MAX_KEEP_WITHIN_MS / 86_400_000}d`,
    "Write 30d to keep everything of the last 30 days.",
  );
  return z.NEVER;
});

export const keepRules = section({
  keep_last: keepCount,
  keep_daily: keepCount,
  keep_weekly: keepCount,
  keep_monthly: keepCount,
  keep_yearly: keepCount,
  keep_within: keepWithin.optional(),
}).superRefine((rules, context) => {
  if (Object.values(rules).some((rule) => rule !== undefined)) return;
  refuse(
    context,
    "found no rule, need at least one",
    "Add for example keep_daily: 7, or write `retention: forever` to keep everything.",
  );
}).transform((rules): Retention => ({
  last: rules.keep_last ?? 0,
  daily: rules.keep_daily ?? 0,
  weekly: rules.keep_weekly ?? 0,
  monthly: rules.keep_monthly ?? 0,
  yearly: rules.keep_yearly ?? 0,
  withinMs: rules.keep_within ?? 0,
}));

/** Rules, or null for `forever`. A client's own take the place of all general ones. */
export const retentionSchema = z.unknown().transform((value, context): Retention | null => {
  if (value === "forever") return null;
  if (typeof value === "string") {
    refuse(
      context,
      `found ${showValue(value)}, need keep_… rules or forever`,
      "Write for example `retention: { keep_daily: 7, keep_weekly: 4 }`.",
    );
    return z.NEVER;
  }
  const parsed = keepRules.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) context.addIssue({ ...issue });
  return z.NEVER;
});
