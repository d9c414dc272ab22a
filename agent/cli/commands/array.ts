// `agent array create|status|check|repair|grow|destage|power-fail|remove DIR`: the emulated array,
// without a daemon.

import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";
import type { ArrayDeviceMap, ArrayView } from "../../control/mod.ts";
import { EXIT_OK, exitCodeOfError } from "../../exit_code.ts";
import { renderArrayMap } from "../array_map_svg.ts";
import { type ArgumentSpec, type Command, type CommandContext, JSON_OPTION } from "../command.ts";
import { MAX_ARRAY_BOARDS, MAX_ARRAY_VOLUMES } from "../limits.ts";
import { printable } from "../output.ts";
import { renderArray } from "../render_array.ts";

const DIR: ArgumentSpec = { name: "DIR", help: "The array's directory", required: true };

export const arrayCreate: Command = {
  name: "array create",
  summary: "Make an emulated array with its volumes",
  arguments: [DIR],
  options: [
    { name: "volumes", value: "N", help: "Count of volumes: v0, v1, …", required: true },
    { name: "size", value: "SIZE", help: "Size of each volume", required: true },
    { name: "boards", value: "N", help: "Count of memory boards" },
    { name: "cache", value: "SIZE", help: "Cache on all boards together" },
    JSON_OPTION,
  ],
  examples: ["agent array create /srv/array --volumes 2 --size 256MiB --boards 4 --cache 64MiB"],
  async run(context) {
    const { given, offline, absolute } = context;
    const report = await (await offline()).arrayCreate({
      directory: absolute(given.requiredArgument("DIR")),
      volumes: given.count("volumes", MAX_ARRAY_VOLUMES) ?? 1,
      volumeBytes: given.size("size") ?? 0,
      boards: given.count("boards", MAX_ARRAY_BOARDS),
      cacheBytes: given.size("cache"),
    });
    return printArray(context, report);
  },
};

export const arrayStatus: Command = {
  name: "array status",
  summary: "Show an array's devices, memory boards and counters",
  arguments: [DIR],
  options: [
    { name: "map", value: "FILE", help: "Write a picture of the cache index there, as SVG" },
    JSON_OPTION,
  ],
  examples: ["agent array status /srv/array", "agent array status /srv/array --map cache.svg"],
  async run(context) {
    const { given, offline, absolute, runtime } = context;
    const directory = absolute(given.requiredArgument("DIR"));
    const report = await (await offline()).arrayStatus(directory);
    const file = given.value("map");
    if (file === null) return printArray(context, report);
    const map = await (await offline()).arrayMap(directory);
    writePicture(runtime.files, absolute(file), renderArrayMap(`Array ${directory}`, map));
    return printArray(context, report, map);
  },
};

export const arrayCheck: Command = {
  name: "array check",
  summary: "Check that an array is sound",
  arguments: [DIR],
  options: [JSON_OPTION],
  examples: ["agent array check /srv/array"],
  async run({ given, offline, absolute, json, out }) {
    const findings = await (await offline()).arrayCheck(absolute(given.requiredArgument("DIR")));
    for (const finding of findings) {
      const { subject, message, lost, ...rest } = finding;
      const text = `${printable(subject)}: ${printable(message)}`;
      const line = { type: "finding", ...rest, subject, message, ...lost };
      out.write(1, json ? `${JSON.stringify(line)}\n` : `${text}\n`);
    }
    if (findings.length > 0) return exitCodeOfError("damaged");
    if (!json) out.write(1, "sound\n");
    return EXIT_OK;
  },
};

export const arrayDestage: Command = {
  name: "array destage",
  summary: "Write what is pending in the cache to the device files",
  arguments: [DIR],
  options: [JSON_OPTION],
  examples: ["agent array destage /srv/array"],
  async run({ given, offline, absolute, json, out }) {
    const { tracks } = await (await offline()).arrayDestage(
      absolute(given.requiredArgument("DIR")),
    );
    out.write(1, json ? `${JSON.stringify({ type: "destaged", tracks })}\n` : `${tracks} tracks\n`);
    return EXIT_OK;
  },
};

export const arrayRepair: Command = {
  name: "array repair",
  summary: "Mend an array that nobody is attached to, and say what was lost",
  arguments: [DIR],
  options: [
    {
      name: "accept-loss",
      value: null,
      help: "Take the older content of lost records instead of errors",
    },
    JSON_OPTION,
  ],
  examples: ["agent array repair /srv/array", "agent array repair /srv/array --accept-loss"],
  async run({ given, offline, absolute, json, out }) {
    const acceptLoss = given.flag("accept-loss");
    const directory = absolute(given.requiredArgument("DIR"));
    const { found, mended, lost } = await (await offline()).arrayRepair(directory, { acceptLoss });
    const lines: readonly (readonly [string, object])[] = [
      ...mended.map((one): [string, object] => [
        `${printable(one.subject)}: ${printable(one.message)}`,
        { type: "mended", ...one },
      ]),
      ...lost.map((one): [string, object] => [
        `${one.device}: ${one.bytes} bytes at ${one.offsetBytes} are lost` +
        (acceptLoss ? ", their older content was taken" : ""),
        { type: "lost", accepted: acceptLoss, ...one },
      ]),
      [
        `${found.length} findings before, ${lost.length} places lost`,
        { type: "repaired", findings: found.length, lost: lost.length },
      ],
    ];
    for (const [text, line] of lines) out.write(1, `${json ? JSON.stringify(line) : text}\n`);
    return EXIT_OK;
  },
};

export const arrayGrow: Command = {
  name: "array grow",
  summary: "Make a volume larger or add volumes, while nobody is attached",
  arguments: [DIR],
  options: [
    { name: "volume", value: "V", help: "The volume that gets larger" },
    { name: "add", value: "N", help: "Count of new volumes" },
    { name: "size", value: "SIZE", help: "Size that each of them has then", required: true },
    JSON_OPTION,
  ],
  examples: [
    "agent array grow /srv/array --volume v0 --size 1GiB",
    "agent array grow /srv/array --add 2 --size 256MiB",
  ],
  async run(context) {
    const { given, offline, absolute } = context;
    const report = await (await offline()).arrayGrow({
      directory: absolute(given.requiredArgument("DIR")),
      volume: given.value("volume"),
      add: given.count("add", MAX_ARRAY_VOLUMES),
      sizeBytes: given.size("size") ?? 0,
    });
    return printArray(context, report);
  },
};

export const arrayPowerFail: Command = {
  name: "array power-fail",
  summary: "Lose the cache of an array on purpose, as a power failure does",
  arguments: [DIR],
  options: [JSON_OPTION],
  examples: ["agent array power-fail /srv/array"],
  async run({ given, offline, absolute, json, out }) {
    const { tracks } = await (await offline()).arrayPowerFail(
      absolute(given.requiredArgument("DIR")),
    );
    const text = `${tracks} tracks were pending; agent array check names what was lost\n`;
    out.write(1, json ? `${JSON.stringify({ type: "power-failed", tracks })}\n` : text);
    return EXIT_OK;
  },
};

export const arrayRemove: Command = {
  name: "array remove",
  summary: "Remove an array that nobody is attached to, its memory included",
  arguments: [DIR],
  options: [JSON_OPTION],
  examples: ["agent array remove /srv/array"],
  async run({ given, offline, absolute, json, out }) {
    const directory = absolute(given.requiredArgument("DIR"));
    await (await offline()).arrayRemove(directory);
    out.write(1, json ? `${JSON.stringify({ type: "removed", directory })}\n` : "removed\n");
    return EXIT_OK;
  },
};

function printArray(
  { json, out }: CommandContext,
  report: ArrayView,
  map?: readonly ArrayDeviceMap[],
): number {
  const value = map === undefined ? report : { ...report, map };
  out.write(1, json ? `${JSON.stringify(value)}\n` : renderArray(report));
  return EXIT_OK;
}

function writePicture(files: Files, path: string, text: string): void {
  try {
    const flags = { access: "write", create: true, truncate: true, mode: 0o644 } as const;
    const descriptor = files.open(AT_CWD, path, flags);
    try {
      files.writeAll(descriptor, new TextEncoder().encode(text));
    } finally {
      files.close(descriptor);
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new AgentError("failed", `Cannot write picture "${path}": ${error.errno}`, {
      hint: "Name a file in a directory that is there and may be written.",
      cause: error,
    });
  }
}
