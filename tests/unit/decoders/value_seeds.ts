// Values whose encoders make good inputs of decoders.

import type { Drill } from "../../../agent/control/drill_view.ts";
import type { Records } from "../../../agent/schedule/schedule_record.ts";
import type { BackupRange } from "../../../agent/wal/backup_range.ts";
import type { FaultFile } from "../../../emulator/fault_file.ts";
import type { HostRowHeader } from "../../../emulator/host_row_layout.ts";

export const HOST_ROW: HostRowHeader = { hostName: "vault01", pid: 4711, devices: 2 };

export const FAULTS: FaultFile = { next: 1, rules: [] };

export const DRILL: Drill = {
  time: "2026-11-27T15:00:00.000Z",
  status: "ok",
  entries: 7,
  of: 1000,
  bytes: 4096,
  differences: 0,
  unproved: 1,
  undecrypted: false,
  seed: 42,
};

export const RANGE: BackupRange = {
  system: "7412000000000000001",
  timeline: 1,
  startLsn: 0x2000028n,
  stopLsn: 0x2000138n,
  stopMs: 1_732_660_000_000,
  segmentBytes: 16 * 1024 * 1024,
  archived: true,
};

export const SCHEDULES: Records = new Map([["nightly", {
  calendar: "30 2 * * * UTC",
  settledMs: 1_732_660_000_000,
  open: { startedMs: 1_732_660_000_000, late: false },
  retryMs: null,
  lastRun: { startedMs: 1_732_560_000_000, outcome: "failed", message: "no space" },
  lastSuccessMs: null,
  lastMissedMs: null,
  runs: 2,
  failed: 1,
  looked: 1,
  missed: 0,
  skipped: 0,
}]]);

const text = (value: string) => new TextEncoder().encode(value);

export const XATTRS = [
  { name: text("user.a=%"), value: Uint8Array.of(0, 255, 10) },
  { name: text("security.capability"), value: new Uint8Array(20) },
];
