// The mark of a backup's last drill: a line of JSON, which a person can read too. Pure.

import { drillSchema } from "../control/drill_schema.ts";
import type { Drill } from "../control/drill_view.ts";

export function encodeDrillMark(drill: Drill): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(drill)}\n`);
}

/** @returns null for what is none */
export function decodeDrillMark(bytes: Uint8Array): Drill | null {
  try {
    return drillSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}
