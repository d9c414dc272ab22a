// The schema of a drill's result: in answers, in the catalog and in the mark beside the media.
//
// Pure. Loose: a newer daemon may add keys.

import { z } from "zod";
import type { Drill } from "./drill_view.ts";

const count = z.number().min(0);

export const drillSchema: z.ZodType<Drill> = z.looseObject({
  time: z.string(),
  status: z.enum(["ok", "failed"]),
  entries: count,
  of: count,
  bytes: count,
  differences: count,
  unproved: count,
  // Those of earlier versions refused what they could not decrypt.
  undecrypted: z.boolean().default(false),
  seed: count.nullable(),
});
