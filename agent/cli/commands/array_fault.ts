// `agent array fault DIR add|list|clear|apply`: faults on demand in an emulated array, also while
// agents use it. The array reads and checks the texts; here they are only handed on.

import { AgentError } from "../../../transport/ground/error.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { type Command, type CommandContext, JSON_OPTION, type OptionSpec } from "../command.ts";
import type { ArrayFault } from "../offline.ts";
import { printable } from "../output.ts";
import { renderTable } from "../table.ts";

/** Options of `add`; they have the names of the keys in faults.json. */
const RULE_OPTIONS: readonly OptionSpec[] = [
  { name: "device", value: "D", help: "Only this volume (all)" },
  { name: "board", value: "N", help: "Only cylinders on this memory board (all)" },
  { name: "tracks", value: "A-B", help: "Only these tracks of 64 KiB of a volume (all)" },
  { name: "on", value: "LIST", help: "Some of read,write,stage,destage (by kind)" },
  { name: "host", value: "H", help: "Only attachments of the agent with this name (all)" },
  { name: "probability", value: "P", help: "Share of the accesses, above 0, up to 1 (1)" },
  { name: "count", value: "N", help: "At most so many times, all processes together" },
  { name: "latency", value: "TIME", help: "Of kind latency: 5ms, uniform:1ms-20ms or exp:10ms" },
  { name: "seed", value: "S", help: "A number that makes the choices repeatable" },
];

const DETAILS = `Actions:
  add KIND    switch a fault on; running agents notice at their next access
  list        show the rules and how often each fired
  clear [ID]  switch one fault off, or all
  apply       check faults.json after an edit by hand, and tell running agents

Kinds, with the accesses that they strike unless --on names others:
  latency      the access takes longer, at most 1 s (read,write)
  io-error     the access fails (read,write)
  torn         only a part of the records or bytes lands (write)
  lost         the write is acknowledged and never lands (write)
  stale        the read returns what this agent read there before (read)
  flip         a bit turns: in transit on read, on the medium on write (read)
  device-gone  every access to --device fails (all)
  board-gone   every access to cylinders on --board fails (all)`;

export const arrayFault: Command = {
  name: "array fault",
  summary: "Make an array in use slow, lossy or broken, on demand",
  details: DETAILS,
  arguments: [
    { name: "DIR", help: "The array's directory", required: true },
    { name: "ACTION", help: "add, list, clear or apply", required: true },
    { name: "WHAT", help: "KIND for add, ID for clear", required: false },
  ],
  options: [...RULE_OPTIONS, JSON_OPTION],
  examples: [
    "agent array fault /srv/array add lost --on write --probability 0.01 --seed 7",
    "agent array fault /srv/array add latency --device v1 --latency exp:10ms",
    "agent array fault /srv/array list",
    "agent array fault /srv/array clear",
  ],
  async run(context) {
    const action = context.given.requiredArgument("ACTION");
    const given = RULE_OPTIONS.find(({ name }) => context.given.flag(name));
    if (given !== undefined && action !== "add") {
      throw usage(`option --${given.name}`, `action ${action}`, "action add");
    }
    if (action === "add") return await add(context);
    if (action === "list") return await list(context);
    if (action === "clear") return await clear(context);
    if (action === "apply") return await apply(context);
    throw usage("argument ACTION", `"${action}"`, "add, list, clear or apply");
  },
};

async function add(context: CommandContext): Promise<number> {
  const { given, offline, json, out } = context;
  const kind = given.argument("WHAT");
  if (kind === null) throw usage("action add", "no KIND", "one, such as lost");
  const fields: Record<string, string> = { kind };
  for (const { name } of RULE_OPTIONS) {
    const value = given.value(name);
    if (value !== null) fields[name] = value;
  }
  const fault = await (await offline()).arrayFaultAdd(directoryOf(context), fields);
  out.write(1, json ? jsonLine(fault) : `rule ${fault.id}\n`);
  return EXIT_OK;
}

async function list(context: CommandContext): Promise<number> {
  const { offline, json, out } = context;
  refuseWhat(context);
  const faults = await (await offline()).arrayFaultList(directoryOf(context));
  if (json) out.write(1, faults.map(jsonLine).join(""));
  else out.write(1, faults.length === 0 ? "no faults\n" : renderFaults(faults));
  return EXIT_OK;
}

async function clear(context: CommandContext): Promise<number> {
  const { given, offline, json, out } = context;
  const text = given.argument("WHAT");
  const id = text === null ? null : /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (id === 0) throw usage("argument ID", `"${text}"`, "the number of a rule");
  const { rules } = await (await offline()).arrayFaultClear(directoryOf(context), id);
  out.write(1, json ? `${JSON.stringify({ type: "cleared", rules })}\n` : `${rules} cleared\n`);
  return EXIT_OK;
}

async function apply(context: CommandContext): Promise<number> {
  const { offline, json, out } = context;
  refuseWhat(context);
  const { rules } = await (await offline()).arrayFaultApply(directoryOf(context));
  out.write(1, json ? `${JSON.stringify({ type: "applied", rules })}\n` : `${rules} in force\n`);
  return EXIT_OK;
}

function directoryOf({ given, absolute }: CommandContext): string {
  return absolute(given.requiredArgument("DIR"));
}

function refuseWhat({ given }: CommandContext): void {
  const what = given.argument("WHAT");
  if (what !== null) throw usage('command "array fault"', `one more argument "${what}"`, "none");
}

function jsonLine({ id, rule, fired }: ArrayFault): string {
  return `${JSON.stringify({ type: "fault", id, ...rule, fired })}\n`;
}

function renderFaults(faults: readonly ArrayFault[]): string {
  const text = (value: string | number | undefined) =>
    value === undefined ? "-" : printable(String(value));
  return renderTable(
    [
      { title: "ID", align: "right" },
      ...["KIND", "ON", "DEVICE", "BOARD", "TRACKS", "HOST"].map((title) => ({ title })),
      ...["PROBABILITY", "COUNT", "LATENCY", "SEED", "FIRED"].map((title) =>
        ({ title, align: "right" }) as const
      ),
    ],
    faults.map(({ id, rule, fired }) => [
      String(id),
      text(rule["kind"]),
      text(rule["on"]),
      text(rule["device"]),
      text(rule["board"]),
      text(rule["tracks"]),
      text(rule["host"]),
      text(rule["probability"]),
      text(rule["count"]),
      text(rule["latency"]),
      text(rule["seed"]),
      String(fired),
    ]),
  );
}

function usage(thing: string, found: string, wanted: string): AgentError {
  return new AgentError("usage", `Cannot use ${thing}: found ${found}, need ${wanted}`, {
    hint: "Run: agent array fault --help",
  });
}
