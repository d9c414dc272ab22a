// The options that say how far a restored PostgreSQL cluster goes on by its archived log.

import { AgentError } from "../../transport/ground/error.ts";
import { isMoment, type RecoveryPlan, type RecoveryTarget } from "../postgresql/recovery_plan.ts";
import { parseLsn } from "../wal/lsn.ts";
import type { OptionSpec } from "./command.ts";
import type { ParsedArguments } from "./parse_args.ts";

export const RECOVERY_OPTIONS: readonly OptionSpec[] = [
  { name: "to-latest", value: null, help: "PostgreSQL: go on as far as the archived log goes" },
  { name: "to-time", value: "T", help: "PostgreSQL: go on to this moment, 2026-01-31T14:30:00Z" },
  { name: "to-lsn", value: "L", help: "PostgreSQL: go on to this place in the log, 0/16B3748" },
  { name: "to-name", value: "N", help: "PostgreSQL: go on to the restore point of that name" },
  { name: "to-xid", value: "X", help: "PostgreSQL: go on to this transaction, with it" },
  {
    name: "to-immediate",
    value: null,
    help: "PostgreSQL: go on to the end of the backup only, by the archived log",
  },
  {
    name: "timeline",
    value: "T",
    help: "PostgreSQL: along this timeline: latest (the default), current or its number",
  },
];

const TARGETS = RECOVERY_OPTIONS.map(({ name }) => name).filter((name) => name !== "timeline");

/** @returns null when no target is named @throws AgentError `usage` */
export function readRecovery(given: ParsedArguments): RecoveryPlan | null {
  const named = TARGETS.filter((name) => given.flag(name));
  const [first, second] = named;
  if (second !== undefined) {
    throw refused(`--${second}`, `--${first}`, "one target", "Leave one of them out.");
  }
  const timeline = given.value("timeline");
  if (first === undefined) {
    if (timeline === null) return null;
    const hint = "Add --to-latest, or another target.";
    throw refused("--timeline", "no target", "one", hint);
  }
  return { target: targetOf(first, given.value(first) ?? ""), timeline: checkedTimeline(timeline) };
}

/** Of files no log goes on. @throws AgentError `usage` */
export function refuseRecovery(given: ParsedArguments): void {
  const stray = RECOVERY_OPTIONS.find(({ name }) => given.flag(name));
  if (stray === undefined) return;
  throw refused(`--${stray.name}`, "files", "--database", "Add --database NAME.");
}

function targetOf(option: string, value: string): RecoveryTarget {
  const what = `--${option} "${value}"`;
  switch (option) {
    case "to-time":
      if (isMoment(value)) return { kind: "time", time: value };
      throw refused(what, "no moment", "one with its zone", "Write 2026-01-31T14:30:00Z.");
    case "to-lsn":
      if (parseLsn(value) !== null) return { kind: "lsn", lsn: value.toUpperCase() };
      throw refused(what, "no place in the log", "one", "Write it as pg_current_wal_lsn() does.");
    case "to-name":
      if (value !== "") return { kind: "name", name: value };
      throw refused(what, "no name", "one", "Use that of pg_create_restore_point().");
    case "to-xid":
      if (/^\d{1,20}$/.test(value)) return { kind: "xid", xid: value };
      throw refused(what, "no transaction", "its number", "Write it as pg_current_xact_id() does.");
    case "to-immediate":
      return { kind: "immediate" };
    default:
      return { kind: "latest" };
  }
}

function checkedTimeline(timeline: string | null): string {
  if (timeline === null) return "latest";
  if (/^(latest|current|[1-9]\d{0,9})$/.test(timeline)) return timeline;
  const hint = "Write latest, current, or the number of a timeline.";
  throw refused(`--timeline "${timeline}"`, "no timeline", "one", hint);
}

function refused(what: string, found: string, wanted: string, hint: string): AgentError {
  return new AgentError("usage", `Cannot use ${what}: found ${found}, need ${wanted}`, { hint });
}
