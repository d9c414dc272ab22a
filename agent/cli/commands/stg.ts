// `agent stg format|status NAME --config FILE`: a storage transport group, without a daemon.

import { AgentError } from "../../../transport/ground/error.ts";
import { closestName, loadConfig, requireConfig, type StgConfig } from "../../config/mod.ts";
import { EXIT_OK } from "../../exit_code.ts";
import {
  type ArgumentSpec,
  type Command,
  type CommandContext,
  JSON_OPTION,
  type OptionSpec,
} from "../command.ts";
import { printable } from "../output.ts";
import { renderStg } from "../render_stg.ts";

export const STG_NAME: ArgumentSpec = { name: "NAME", help: "Name of the group", required: true };
export const STG_CONFIG: OptionSpec = {
  name: "config",
  value: "FILE",
  help: "Configuration that defines the group",
  required: true,
};

export const stgFormat: Command = {
  name: "stg format",
  summary: "Lay out a group on its volumes; what they hold is lost",
  arguments: [STG_NAME],
  options: [
    STG_CONFIG,
    { name: "force", value: null, help: "Also over a file system, partition or other signature" },
    JSON_OPTION,
  ],
  examples: ["agent stg format stg0 --config /etc/agent/server.yaml"],
  async run(context) {
    const { given, offline, json, out } = context;
    const report = await (await offline()).stgFormat(findStg(context), {
      force: given.flag("force"),
    });
    const volumes = report.volumes.map(printable).join(", ");
    out.write(
      1,
      json
        ? `${JSON.stringify({ type: "formatted", ...report })}\n`
        : `formatted ${report.stg} on ${volumes}: uuid ${report.uuid}\n`,
    );
    return EXIT_OK;
  },
};

export const stgStatus: Command = {
  name: "stg status",
  summary: "Show a group's hosts, ports, connections and heartbeat ages",
  arguments: [STG_NAME],
  options: [STG_CONFIG, JSON_OPTION],
  examples: ["agent stg status stg0 --config /etc/agent/server.yaml"],
  async run(context) {
    const { offline, json, out } = context;
    const view = await (await offline()).stgStatus(findStg(context));
    out.write(1, json ? `${JSON.stringify(view)}\n` : renderStg(view, out.paint(1)));
    return EXIT_OK;
  },
};

/** The group that NAME and --config mean. @throws AgentError `usage` */
export function findStg({ given, runtime, absolute }: CommandContext): StgConfig {
  const name = given.requiredArgument("NAME");
  const { stgs } = requireConfig(loadConfig(runtime.files, absolute(given.required("config"))));
  const found = stgs.find((stg) => stg.name === name);
  if (found !== undefined) return found;
  const near = closestName(name, stgs.map((stg) => stg.name));
  throw new AgentError(
    "usage",
    `Cannot find group "${name}": the configuration defines ${
      stgs.map((stg) => stg.name).join(", ") || "none"
    }`,
    { hint: near === null ? "Add the group under stgs." : `Did you mean "${near}"?` },
  );
}
