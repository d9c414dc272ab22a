// Text about a storage transport group, for people. Pure.

import type { StgConnectionView, StgHostView, StgView } from "../control/mod.ts";
import { formatSize } from "../config/mod.ts";
import { type Paint, printable } from "./output.ts";
import { paintState } from "./render_job.ts";
import { renderFields, renderTable } from "./table.ts";

export function renderStg(stg: StgView, paint: Paint): string {
  const state = paintState(stg.state, paint);
  const head = renderFields([
    ["stg", stg.name],
    ["state", stg.reason === null ? state : `${state}: ${printable(stg.reason)}`],
    ...(stg.hint === null ? [] : [["hint", printable(stg.hint)] as [string, string]]),
    ["uuid", stg.uuid ?? "-"],
    ["host", String(stg.host)],
    ["volumes", stg.volumes.map(printable).join(", ")],
    ...stg.warnings.map((warning): [string, string] => ["warning", printable(warning)]),
  ]);
  if (stg.hosts.length === 0) return head;
  const tables = [renderHosts(stg.hosts, paint), renderErrors(stg.hosts)];
  if (stg.connections.length > 0) tables.push(renderConnections(stg.connections));
  return head + tables.filter((table) => table !== "").map((table) => `\n${table}`).join("");
}

function renderHosts(hosts: readonly StgHostView[], paint: Paint): string {
  return renderTable(
    [
      { title: "HOST", align: "right" },
      { title: "NAME" },
      { title: "GENERATION", align: "right" },
      { title: "LIVE" },
      { title: "HEARTBEAT", align: "right" },
      { title: "BEATS ON" },
      { title: "PORTS" },
      { title: "RINGS", align: "right" },
      { title: "QUARANTINED", align: "right" },
    ],
    hosts.map((host) => [
      String(host.host),
      printable(host.name),
      String(host.generation),
      paintLive(host, paint),
      host.heartbeatAgeMs === null ? "-" : `${Math.round(host.heartbeatAgeMs)} ms`,
      host.volumes.map(printable).join(", ") || "-",
      host.ports.join(", ") || "-",
      // Before the first look at the volumes nothing is known of them.
      host.endpoints.total === 0 ? "-" : `${host.endpoints.used}/${host.endpoints.total}`,
      host.endpoints.total === 0 ? "-" : String(host.endpoints.quarantined),
    ]),
  );
}

function paintLive({ attached, live }: StgHostView, paint: Paint): string {
  if (!attached) return "left";
  if (live === null) return "unknown";
  return live ? paint.green("yes") : paint.red("no");
}

/** Only hosts that found something, and nothing at all when none did. */
function renderErrors(hosts: readonly StgHostView[]): string {
  const kinds = [
    ["TORN", "tornFrames"],
    ["STALE", "staleFrames"],
    ["DAMAGED", "damagedFrames"],
    ["BAD BLOCKS", "badBlocks"],
    ["CURSORS BACK", "cursorsBack"],
    ["BEYOND", "cursorsBeyond"],
    ["ASKED AGAIN", "framesAsked"],
    ["SENT AGAIN", "framesSentAgain"],
  ] as const;
  const found = hosts.filter(({ errors }) => kinds.some(([_, kind]) => errors[kind] > 0));
  if (found.length === 0) return "";
  return renderTable(
    [
      { title: "HOST", align: "right" },
      ...kinds.map(([title]) => ({ title, align: "right" }) as const),
    ],
    found.map(({ host, errors }) => [
      String(host),
      ...kinds.map(([_, kind]) => String(errors[kind])),
    ]),
  );
}

function renderConnections(connections: readonly StgConnectionView[]): string {
  return renderTable(
    [
      { title: "LOCAL" },
      { title: "PEER" },
      { title: "STATE" },
      { title: "SENT", align: "right" },
      { title: "RECEIVED", align: "right" },
      { title: "IN FLIGHT", align: "right" },
    ],
    connections.map((one) => [
      `${one.host}:${one.port}`,
      one.state === "listening" ? "-" : `${one.peerHost}:${one.peerPort}`,
      one.state,
      formatSize(one.sentBytes),
      formatSize(one.receivedBytes),
      one.framesInFlight === null ? "-" : String(one.framesInFlight),
    ]),
  );
}
