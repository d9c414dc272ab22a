// A timeline's history file: which timelines it came from, and where each was left, oldest first.
//
//   1       0/30000D8       no recovery target specified
//
// Parent timeline, LSN of the switch, reason, with tabs or blanks between; `#` begins a comment and
// empty lines mean nothing, as PostgreSQL's own reader has it. Pure.

import { AgentError } from "../../transport/ground/error.ts";
import { parseLsn } from "./lsn.ts";

/** `timeline` was followed up to `switchLsn` and left there. */
export interface TimelineSwitch {
  readonly timeline: number;
  readonly switchLsn: bigint;
  readonly reason: string;
}

const LINE = /^\s*(\d{1,10})\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)(?:\s+(.*))?$/;
const MAX_TIMELINE = 0xffff_ffff;

/**
 * @param timeline the one whose history it is
 * @returns its ancestors, oldest first
 * @throws AgentError `damaged`
 */
export function parseTimelineHistory(timeline: number, bytes: Uint8Array): TimelineSwitch[] {
  const switches: TimelineSwitch[] = [];
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const match = LINE.exec(line);
    const parent = Number(match?.[1]);
    const switchLsn = parseLsn(match?.[2] ?? "");
    if (match === null || switchLsn === null || parent > MAX_TIMELINE) {
      throw damaged(timeline, `the line "${line.slice(0, 80)}"`, "timeline, LSN and reason");
    }
    const before = switches.at(-1);
    if (parent <= (before?.timeline ?? 0) || parent >= timeline) {
      throw damaged(timeline, `timeline ${parent}`, "older timelines in ascending order");
    }
    switches.push({ timeline: parent, switchLsn, reason: (match[3] ?? "").trim() });
  }
  return switches;
}

function damaged(timeline: number, found: string, wanted: string): AgentError {
  const message = `Cannot read history of timeline ${timeline}: found ${found}, need ${wanted}`;
  return new AgentError("damaged", message, {
    hint: "Compare the file with the one in `pg_wal` of the PostgreSQL server.",
  });
}
