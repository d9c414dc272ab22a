// The keys of what a backup of files leaves out: a client's entry and a schedule have them. Pure.

import { z } from "zod";
import { ExcludeRules } from "../application/filesystem/exclude_rules.ts";
import type { SourceSelection } from "../source_selection.ts";
import { refuse, showValue } from "./issue_text.ts";
import { MAX_EXCLUDE_RULES, MAX_PATH_BYTES } from "./limits.ts";
import { parseSize } from "./quantity.ts";
import { fileNameSchema } from "./shared_schema.ts";

/** A rule of what a backup leaves out. */
const ruleSchema = z.string().max(MAX_PATH_BYTES).transform((text, context) => {
  const [bad] = new ExcludeRules([new TextEncoder().encode(text)]).bad;
  if (bad === undefined) return text;
  refuse(
    context,
    `found ${showValue(text)} with ${bad.found}, need a rule as in .gitignore`,
    'Write a name, as "*.tmp", or a path from "/" on, as "/srv/**/cache/".',
  );
  return z.NEVER;
});

const sizeSchema = z.union([z.string(), z.number()], { error: () => "need a size" }).transform(
  (value, context) => {
    const bytes = typeof value === "string" ? parseSize(value) : value;
    if (bytes !== null && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
    refuse(context, `found ${showValue(value)}, need a size`, "Write for example 100MiB.");
    return z.NEVER;
  },
);

export const selectionKeys = {
  exclude: z.array(ruleSchema).max(MAX_EXCLUDE_RULES).default([]),
  exclude_caches: z.boolean().default(false),
  one_file_system: z.boolean().default(false),
  exclude_larger_than: sizeSchema.nullable().default(null),
  ignore_file: fileNameSchema.nullable().default(null),
};

interface SelectionPart {
  readonly exclude: readonly string[];
  readonly exclude_caches: boolean;
  readonly one_file_system: boolean;
  readonly exclude_larger_than: number | null;
  readonly ignore_file: string | null;
}

export function readSelection(part: SelectionPart): SourceSelection {
  return {
    exclude: part.exclude,
    excludeCaches: part.exclude_caches,
    oneFileSystem: part.one_file_system,
    excludeLargerThan: part.exclude_larger_than,
    ignoreFile: part.ignore_file,
  };
}
