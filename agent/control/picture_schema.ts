// Schemas of what the page draws: ladders of a job's connections, and what is in an array's cache.
//
// Pure. Loose: a newer daemon may add keys.

import { z } from "zod";
import type { ArrayDeviceMap } from "./array_view.ts";
import type { Ladder } from "./ladder_plan.ts";
import { traceStepSchema } from "./view_schema.ts";

const count = z.number().min(0);

const ladderStep = traceStepSchema.nullable();

export const ladderSchema: z.ZodType<Ladder> = z.looseObject({
  title: z.string(),
  rows: z.array(z.looseObject({
    server: ladderStep,
    client: ladderStep,
    from: z.enum(["server", "client"]).nullable(),
  })),
});

export const arrayMapSchema: z.ZodType<ArrayDeviceMap> = z.looseObject({
  name: z.string(),
  cylinders: count,
  cylindersPerBin: count,
  tracksPerCylinder: count,
  bins: z.array(
    z.looseObject({ bin: count, inCache: count, writePending: count, damaged: count }),
  ),
});
