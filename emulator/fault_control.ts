// Switches faults on and off (`array fault`), also while the array is in use.
//
// The file is written whole or not at all, under setup.lock, so that who attaches meanwhile sees
// either state; then its checksum goes to the first memory board, where every attachment looks.

import { crc32 } from "../transport/ground/crc32.ts";
import { AgentError } from "../transport/ground/error.ts";
import {
  ArrayDirectory,
  type ArrayParts,
  onArrayFiles,
  readGeometry,
  writeWhole,
} from "./array_directory.ts";
import { STATE } from "./board_layout.ts";
import { FaultCounts } from "./fault_counts.ts";
import { encodeFaultFile, type FaultFile } from "./fault_file.ts";
import { readFaultFile } from "./fault_injector.ts";
import { type FaultFields, faultFields, parseFaultRule } from "./fault_rule.ts";
import type { ArrayGeometry } from "./geometry.ts";
import { MAX_FAULT_RULES } from "./limits.ts";
import { withSetupLock } from "./open_array.ts";
import { missingBoards, openBoards } from "./system_bus.ts";

/** A rule as it stands in the file, and how often it fired so far, over all processes. */
export interface FaultStatus {
  readonly id: number;
  readonly rule: Readonly<Record<string, string | number>>;
  readonly fired: number;
}

/**
 * Adds a rule. @param fields all but the id, as in the file
 * @throws AgentError `usage` naming everything that is wrong | as `attachArray`
 */
export function addFault(path: string, fields: FaultFields, parts: ArrayParts): FaultStatus {
  return change(path, parts, ({ next, rules }, { geometry, counts }) => {
    if (rules.length >= MAX_FAULT_RULES) throw tooMany(path);
    const places = new Set(rules.map(({ id }) => id % MAX_FAULT_RULES));
    let id = next;
    while (places.has(id % MAX_FAULT_RULES)) id++;
    const rule = parseFaultRule({ ...fields, id }, geometry);
    if (!("kind" in rule)) throw wrongRule(rule);
    counts.reset(id);
    const file = { next: id + 1, rules: [...rules, rule] };
    return { file, result: { id, rule: faultFields(rule), fired: 0 } };
  });
}

/**
 * Removes a rule, or all of them. @returns count of removed rules
 * @throws AgentError `not_found` when there is no rule `id`
 */
export function clearFaults(path: string, id: number | null, parts: ArrayParts): number {
  return change(path, parts, ({ next, rules }) => {
    const kept = id === null ? [] : rules.filter((rule) => rule.id !== id);
    if (id !== null && kept.length === rules.length) throw unknownRule(path, id);
    return { file: { next, rules: kept }, result: rules.length - kept.length };
  });
}

/** Checks a file that was edited by hand and tells the attachments. @returns count of rules */
export function applyFaults(path: string, parts: ArrayParts): number {
  return change(path, parts, (file) => ({ file, result: file.rules.length }));
}

/** @throws AgentError `usage` when `faults.json` is wrong | `not_found` | `failed` */
export function listFaults(path: string, parts: ArrayParts): readonly FaultStatus[] {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  return onArrayFiles(directory.path, () => {
    const counts = new FaultCounts(directory.firedPath, parts);
    const { rules } = readFaultFile(parts, directory, geometry);
    return rules.map((rule) => {
      return { id: rule.id, rule: faultFields(rule), fired: counts.fired(rule.id) };
    });
  });
}

type Change<T> = (
  file: FaultFile,
  place: { readonly geometry: ArrayGeometry; readonly counts: FaultCounts },
) => { readonly file: FaultFile; readonly result: T };

function change<T>(path: string, parts: ArrayParts, decide: Change<T>): T {
  const directory = new ArrayDirectory(path);
  const geometry = readGeometry(parts.files, directory);
  return onArrayFiles(directory.path, () =>
    withSetupLock(directory, parts, () => {
      const counts = new FaultCounts(directory.firedPath, parts);
      try {
        const old = readFaultFile(parts, directory, geometry);
        const { file, result } = decide(old, { geometry, counts });
        const bytes = encodeFaultFile(file);
        writeWhole(parts.files, directory.faultsPath, bytes);
        announce(parts, { directory, geometry }, crc32(bytes));
        return result;
      } finally {
        counts.close();
      }
    }));
}

/** Nobody is attached to boards that are missing: who attaches next reads the file. */
function announce(
  parts: ArrayParts,
  place: { readonly directory: ArrayDirectory; readonly geometry: ArrayGeometry },
  checksum: number,
): void {
  if (missingBoards(parts.files, place.directory, place.geometry).length > 0) return;
  const boards = openBoards(parts, place, 0);
  try {
    boards[0]?.words.setState(STATE.faults, checksum);
  } finally {
    for (const board of boards) board.close();
  }
}

function wrongRule(problems: readonly string[]): AgentError {
  return new AgentError("usage", `Cannot add the fault: ${problems.join("; ")}`, {
    hint: "Run: agent array fault --help",
  });
}

function tooMany(path: string): AgentError {
  return new AgentError(
    "usage",
    `Cannot add a fault to array "${path}": ${MAX_FAULT_RULES} rules there, need fewer`,
    { hint: `Run: agent array fault ${path} clear` },
  );
}

function unknownRule(path: string, id: number): AgentError {
  return new AgentError(
    "not_found",
    `Cannot clear fault "${id}" of array "${path}": no such rule, need the id of one`,
    { hint: `Run: agent array fault ${path} list` },
  );
}
