// The daemon's log on standard error: for the journal with its priorities when systemd reads it,
// as text otherwise.

import { configureSync, getLogger, getTextFormatter, type LogRecord } from "@logtape/logtape";
import type { Runtime } from "../transport/mod.ts";
import { printable } from "./cli/output.ts";
import type { DaemonParts } from "./daemon_parts.ts";
import { journalLines, writesToJournal } from "./journal.ts";

/** syslog priorities (journal.ts). */
const PRIORITIES = { trace: 7, debug: 7, info: 6, warning: 4, error: 3, fatal: 2 } as const;

/** Sets the log up for this process; called once, by a daemon that starts. */
export function createLog(runtime: Runtime, name: string): DaemonParts["log"] {
  const { process } = runtime;
  const journal = writesToJournal(runtime);
  const format = getTextFormatter({
    timestamp: journal ? "none" : "rfc3339",
    // As it stands, not in quotes: names inside have some. They may come from a peer.
    value: (value) => printable(String(value)),
  });
  const sink = (record: LogRecord) => {
    const line = format(record);
    process.write(2, journal ? journalLines(PRIORITIES[record.level], line) : line);
  };
  configureSync({
    reset: true,
    sinks: { standardError: sink },
    loggers: [
      { category: ["agent"], lowestLevel: "info", sinks: ["standardError"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["standardError"] },
    ],
  });
  const logger = getLogger(["agent", name]);
  return (level, message) => logger[level]("{message}", { message });
}
