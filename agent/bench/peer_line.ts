// What the second process tells the first on its standard output, one JSON object per line. Pure.

import { z } from "zod";
import { AgentError, ERROR_CODES, type ErrorRecord } from "../../transport/mod.ts";

const line = z.discriminatedUnion("type", [
  // It listens: connect here.
  z.object({
    type: z.literal("listening"),
    host: z.number().int().min(1),
    port: z.number().int().min(1).max(65535),
  }),
  // It ends, for this reason.
  z.object({
    type: z.literal("error"),
    code: z.enum([...ERROR_CODES, "internal"]),
    message: z.string(),
    hint: z.string().nullable().optional(),
  }),
]);

export type PeerLine =
  | { readonly type: "listening"; readonly host: number; readonly port: number }
  | { readonly type: "error"; readonly error: ErrorRecord };

export function encodePeerLine(value: PeerLine): string {
  return `${JSON.stringify(value.type === "error" ? { type: "error", ...value.error } : value)}\n`;
}

/** @throws AgentError `failed` for a line that no second process prints */
export function decodePeerLine(text: string): PeerLine {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // No JSON: the schema refuses it.
  }
  const { success, data } = line.safeParse(value);
  if (!success) {
    throw new AgentError("failed", `Cannot measure: the second process printed "${text}"`);
  }
  if (data.type === "listening") return data;
  const { code, message, hint } = data;
  return { type: "error", error: { code, message, ...(hint ? { hint } : {}) } };
}
