// Text about an emulated array, for people. Pure.

import { formatSize } from "../config/mod.ts";
import type { ArrayFigures, ArrayView } from "../control/mod.ts";
import { printable } from "./output.ts";
import { type Column, renderFields, renderTable } from "./table.ts";

export function renderArray(report: ArrayView): string {
  const missing = report.missingBoards.length === 0
    ? "none"
    : `${report.missingBoards.join(", ")}: what was not destaged is lost`;
  const head = renderFields([
    ["array", printable(report.directory)],
    ["uuid", report.uuid],
    ["attached", report.attached ? "yes" : "no"],
    ["memory", printable(report.memory)],
    ["missing boards", missing],
  ]);
  const tables = [renderDevices(report), renderBoards(report), renderTraffic(report)];
  return head + tables.filter((table) => table !== "").map((table) => `\n${table}`).join("");
}

function renderDevices({ devices }: ArrayView): string {
  return renderTable(
    [{ title: "DEVICE" }, ...numbers("SIZE", "ALLOCATED", "IN CACHE", "PENDING", "DAMAGED")],
    devices.map((device) => [
      device.name,
      formatSize(device.sizeBytes),
      formatSize(device.allocatedBytes),
      String(device.inCache),
      String(device.writePending),
      String(device.damaged),
    ]),
  );
}

function renderBoards({ boards }: ArrayView): string {
  return renderTable(
    [
      ...numbers("BOARD", "SLOTS", "IN USE", "PENDING", "SHARE", "HITS", "MISSES", "STAGES"),
      ...numbers("DESTAGES", "EVICTIONS", "WAITS", "WAITED"),
    ],
    boards.map((board) => [
      String(board.board),
      String(board.slots),
      String(board.inUse),
      String(board.writePending),
      percent(board.pendingShare),
      String(board.hits),
      String(board.misses),
      String(board.stages),
      String(board.destages),
      String(board.evictions),
      String(board.waits),
      milliseconds(board.waitMicros),
    ]),
  );
}

/** Who did what: hosts by name, then the devices over all hosts that ever were attached. */
function renderTraffic({ devices, hosts }: ArrayView): string {
  const title = (text: string) => [
    { title: text },
    ...numbers("READ", "WRITTEN", "HITS", "MISSES", "STAGES", "DESTAGES", "EVICTIONS", "DELAYED"),
    ...numbers("AHEAD", "USED", "WASTED"),
  ];
  const ofDevices = renderTable(
    title("DEVICE"),
    devices.map((device) => [device.name, ...figures(device)]),
  );
  const ofHosts = renderTable(
    [...title("HOST"), ...numbers("WAITS", "WAITED", "PROCESS")],
    hosts.map((host) => [
      printable(host.host),
      ...figures(host),
      String(host.waits),
      milliseconds(host.waitMicros),
      host.attached ? String(host.pid) : "gone",
    ]),
  );
  return [ofDevices, ofHosts].filter((table) => table !== "").join("\n");
}

function figures(of: ArrayFigures): string[] {
  const counts = [of.hits, of.misses, of.stages, of.destages, of.evictions, of.delayedWrites];
  const ahead = [of.prefetches, of.prefetchesUsed, of.prefetchesWasted];
  return [
    formatSize(of.readBytes),
    formatSize(of.writtenBytes),
    ...[...counts, ...ahead].map(String),
  ];
}

function numbers(...titles: readonly string[]): Column[] {
  return titles.map((title) => ({ title, align: "right" }));
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function milliseconds(micros: number): string {
  return `${(micros / 1000).toFixed(1)} ms`;
}
