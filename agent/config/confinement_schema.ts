// Schemas of what a client may be asked for: the same keys in the client's own file and in the
// server's entry of it.

import { z } from "zod";
import type { Confinement } from "../confinement.ts";
import { MAX_ALLOWED_PATHS } from "./limits.ts";
import { pathSchema } from "./shared_schema.ts";

const absoluteSchema = pathSchema.refine(
  (path) => path.startsWith("/") && !path.split("/").includes(".."),
  "need an absolute path without ..",
);
const pathsSchema = z.array(absoluteSchema).min(1).max(MAX_ALLOWED_PATHS);

export const confinementKeys = {
  allow_backup: pathsSchema.optional(),
  allow_restore: z.union([z.boolean(), pathsSchema], {
    error: () => "need true, false or a list of directories",
  }).optional(),
  allow_overwrite: z.boolean().optional(),
};

type Keys = z.output<z.ZodObject<typeof confinementKeys>>;

export function confinementOf(keys: Keys): Confinement {
  const { allow_restore: restore = true } = keys;
  return {
    backup: keys.allow_backup ?? null,
    restore: restore === true ? null : restore === false ? [] : restore,
    overwrite: keys.allow_overwrite ?? true,
  };
}
