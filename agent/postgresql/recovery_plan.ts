// How far a restored cluster goes on by its archived write-ahead log, and the settings that make
// PostgreSQL do it (PostgreSQL's manual, "Write Ahead Log" > "Recovery Target"). Pure.
//
// Invariants: a target that lies before the end of the backup is refused before anything is
// written, as far as it can be told; PostgreSQL refuses the others. Settings of an earlier recovery
// go, since it takes one target only, and an empty one counts, too. So do those of a standby: what
// was restored never follows the primary of the cluster that was backed up.

import { AgentError } from "../../transport/ground/error.ts";
import { parseLsn } from "../wal/lsn.ts";

export type RecoveryTarget =
  /** As far as the archive goes. */
  | { readonly kind: "latest" }
  /** The end of the backup. */
  | { readonly kind: "immediate" }
  /** A moment with its zone, RFC 3339. */
  | { readonly kind: "time"; readonly time: string }
  | { readonly kind: "lsn"; readonly lsn: string }
  /** A restore point that somebody named. */
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "xid"; readonly xid: string };

/** A moment as a target names it: without a zone two hosts could mean two moments. */
export function isMoment(text: string): boolean {
  const moment = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/;
  return moment.test(text) && !Number.isNaN(Date.parse(text));
}

export interface RecoveryPlan {
  readonly target: RecoveryTarget;
  /** "latest", "current" or the number of a timeline. */
  readonly timeline: string;
}

/** Where a cluster's log stood when its backup ended. */
export interface BackupEnd {
  /** Identifier of the cluster, decimal. */
  readonly system: string;
  readonly stopLsn: string;
  readonly stopMs: number;
}

/** @throws AgentError `usage` when the target lies before the end of the backup */
export function requireReachable({ target }: RecoveryPlan, end: BackupEnd): void {
  if (target.kind === "time" && Date.parse(target.time) < end.stopMs) {
    throw tooEarly(target.time, new Date(end.stopMs).toISOString());
  }
  if (target.kind !== "lsn") return;
  const [wanted, stop] = [parseLsn(target.lsn), parseLsn(end.stopLsn)];
  if (wanted !== null && stop !== null && wanted < stop) throw tooEarly(target.lsn, end.stopLsn);
}

export interface RecoverySettings {
  /** The command that fetches a file, up to and without the names that PostgreSQL puts in. */
  readonly restoreCommand: string;
}

/** The lines for postgresql.auto.conf; an empty recovery.signal beside it makes them count. */
export function recoverySettings(
  { target, timeline }: RecoveryPlan,
  { restoreCommand }: RecoverySettings,
): string {
  const [name, value] = settingOf(target);
  const values = {
    restore_command: restoreCommand,
    ...(name === null ? {} : { [name]: value }),
    recovery_target_timeline: timeline,
    recovery_target_inclusive: "on",
    recovery_target_action: "promote",
    // They may be set in postgresql.conf, too, which is read before this.
    primary_conninfo: "",
    primary_slot_name: "",
  };
  return Object.entries(values).map(([key, text]) => `${key} = ${quoted(text)}\n`).join("");
}

/** postgresql.auto.conf with these settings for those of a standby or an earlier recovery. */
export function withRecovery(text: string, settings: string): string {
  const lines = text.split("\n").filter((line) => line !== "" && !OF_RECOVERY.test(line));
  return `${lines.map((line) => `${line}\n`).join("")}${settings}`;
}

const OF_RECOVERY = /^\s*(restore_command|recovery_target\w*|primary_(conninfo|slot_name))\s*=/;

function settingOf(target: RecoveryTarget): readonly [string | null, string] {
  switch (target.kind) {
    case "latest":
      return [null, ""];
    case "immediate":
      return ["recovery_target", "immediate"];
    case "time":
      return ["recovery_target_time", withOffset(target.time)];
    case "lsn":
      return ["recovery_target_lsn", target.lsn];
    case "name":
      return ["recovery_target_name", target.name];
    case "xid":
      return ["recovery_target_xid", target.xid];
  }
}

/**
 * A moment whose zone is an offset. PostgreSQL reads this setting before its abbreviations of
 * zones, so it knows no "Z" ("recovery_target_time" in its manual).
 */
function withOffset(moment: string): string {
  return moment.replace("T", " ").replace(/Z$/, "+00:00");
}

/** A word for a shell that reads it as it is. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A value of a configuration file of PostgreSQL. */
function quoted(value: string): string {
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function tooEarly(found: string, end: string): AgentError {
  const message = `Cannot recover to ${found}: the backup ended at ${end}, need a later target`;
  return new AgentError("usage", message, {
    hint: "Restore an earlier backup, or restore this one without a target.",
  });
}
