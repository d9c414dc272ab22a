// Codec of `faults.json`, the control file of faults on demand. No I/O. People may edit it.
//
//   format   "agent-array-faults": not such a file otherwise
//   version  1
//   next     id of the next rule: ids are not used again, so that counts of old rules stay theirs
//   rules    [{ id, kind, on, device, board, tracks, host, probability, count, latency, seed }];
//            see fault_rule.ts; only id and kind are needed

import { AgentError } from "../transport/ground/error.ts";
import { faultFields, type FaultRule, parseFaultRule } from "./fault_rule.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { MAX_FAULT_COUNT, MAX_FAULT_FILE_BYTES, MAX_FAULT_RULES } from "./limits.ts";

export interface FaultFile {
  readonly next: number;
  readonly rules: readonly FaultRule[];
}

export const NO_FAULTS: FaultFile = { next: 1, rules: [] };
const FORMAT = "agent-array-faults";
const VERSION = 1;

export function encodeFaultFile(file: FaultFile): Uint8Array {
  const rules = file.rules.map(faultFields);
  const value = { format: FORMAT, version: VERSION, next: file.next, rules };
  return new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");
}

/**
 * @param path names the file in errors
 * @throws AgentError `usage` naming everything that is wrong
 */
export function decodeFaultFile(
  bytes: Uint8Array,
  geometry: ArrayGeometry,
  path: string,
): FaultFile {
  const value = bytes.length > MAX_FAULT_FILE_BYTES ? null : parseJson(bytes);
  if (!isObject(value)) {
    throw refuse(path, [`found no JSON object of at most ${MAX_FAULT_FILE_BYTES} bytes`]);
  }
  const problems: string[] = [];
  const { format, version, next, rules: list, ...others } = value;
  if (format !== FORMAT) problems.push(`format: need "${FORMAT}"`);
  if (version !== VERSION) problems.push(`version: need ${VERSION}`);
  for (const key of Object.keys(others)) problems.push(`${key}: unknown key`);
  const given: readonly unknown[] = Array.isArray(list) ? list : [];
  if (given !== list || given.length > MAX_FAULT_RULES) {
    problems.push(`rules: need a list of at most ${MAX_FAULT_RULES}`);
  }
  const rules: FaultRule[] = [];
  for (const [index, fields] of given.entries()) {
    const rule = isObject(fields) ? parseFaultRule(fields, geometry) : ["need an object"];
    if ("kind" in rule) rules.push(rule);
    else problems.push(...rule.map((problem) => `rules[${index}].${problem}`));
  }
  const ids = rules.map(({ id }) => id);
  if (new Set(ids).size < ids.length) problems.push("rules: need an id of its own for each");
  const known = typeof next === "number" && Number.isSafeInteger(next) && next >= 1 &&
    next <= MAX_FAULT_COUNT;
  if (!known || ids.some((id) => id >= next)) problems.push("next: need more than every id");
  if (problems.length > 0 || !known) throw refuse(path, problems);
  return { next, rules };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(path: string, problems: readonly string[]): AgentError {
  return new AgentError("usage", `Cannot use faults "${path}": ${problems.join("; ")}`, {
    hint: "Correct the file, or remove it and run agent array fault DIR apply.",
  });
}
