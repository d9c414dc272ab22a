// `agent validate CLIENT`: does each channel to a client work, and why not?
//
// Exit 0 when every channel that the client's policy wants works; 15 when the client does not
// answer; else 1. A client that prefers the storage wants it: falling back is what this prevents.

import { clockDifference } from "../../control/clock_difference.ts";
import { validationViewSchema } from "../../control/validation_schema.ts";
import type { ChannelReport, ValidationView } from "../../control/mod.ts";
import { EXIT_FAILED, EXIT_OK, exitCodeOfError } from "../../exit_code.ts";
import { type Command, DAEMON_OPTIONS } from "../command.ts";
import { type Paint, printable } from "../output.ts";
import { renderTable } from "../table.ts";

export const validate: Command = {
  name: "validate",
  summary: "Set each channel to a client up, and tell which work; moves no data",
  details:
    "The storage channel counts as usable when each host has read on every volume of the group\n" +
    "what the other had just written there. Runs on the server's host.",
  arguments: [{ name: "CLIENT", help: "Name under clients in the server's file", required: true }],
  options: DAEMON_OPTIONS,
  examples: ["agent validate web01", "agent validate web01 --json"],
  async run(context) {
    const { given, out, json } = context;
    const client = given.requiredArgument("CLIENT");
    const path = `/v1/clients/${encodeURIComponent(client)}/validation`;
    const found = await context.daemon().post(path, {}, validationViewSchema);
    if (json) {
      for (const line of toLines(found)) out.write(1, `${JSON.stringify(line)}\n`);
    } else out.write(1, render(found, out.paint(1)));
    return exitCodeOf(found);
  },
};

/** What a network channel that nobody answers on shows as its reason. */
const UNREACHABLE: readonly string[] = ["refused", "timeout", "unreachable"];

function exitCodeOf({ ok, channels }: ValidationView): number {
  if (ok) return EXIT_OK;
  const silent = channels.some(({ channel, reason }) =>
    channel === "network" && reason !== null && UNREACHABLE.includes(reason)
  );
  return silent ? exitCodeOfError("unreachable") : EXIT_FAILED;
}

/** One object for each channel, then the summary. */
function toLines({ channels, ok, ...rest }: ValidationView): object[] {
  const { client } = rest;
  return [
    ...channels.map((channel) => ({ type: "channel", client, ...channel })),
    { type: "summary", ...rest, status: ok ? "ok" : "failed" },
  ];
}

function render(found: ValidationView, paint: Paint): string {
  const answer = ({ usable }: ChannelReport) => usable ? paint.green("YES") : paint.red("NO");
  const why = ({ reason, detail }: ChannelReport) =>
    reason === null ? printable(detail) : `${reason}: ${printable(detail)}`;
  const table = renderTable(
    [{ title: "CHANNEL" }, { title: "STG" }, { title: "USABLE" }, { title: "WHY" }],
    found.channels.map((one) => [one.channel, one.stg ?? "-", answer(one), why(one)]),
  );
  const verdict = found.ok ? paint.green("ok") : paint.red("failed");
  const version = found.clientVersion === null ? "" : `; its agent is ${found.clientVersion}`;
  const difference = clockDifference(found.clockAheadMs);
  const clock = difference === null ? "" : `${paint.yellow(difference)}\n`;
  return `${table}\n${clock}${verdict}: client ${printable(found.client)}, ${found.policy}, ` +
    `${found.ok ? "all" : "not all"} that it needs works${printable(version)}\n`;
}
