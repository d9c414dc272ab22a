// `agent config check FILE`: every problem of a configuration at once.

import { EXIT_OK, EXIT_USAGE } from "../../exit_code.ts";
import { formatProblem, loadConfig } from "../../config/mod.ts";
import { type Command, JSON_OPTION } from "../command.ts";

export const configCheck: Command = {
  name: "config check",
  summary: "Check a configuration file and show all problems at once",
  arguments: [{ name: "FILE", help: "YAML file of a server or a client", required: true }],
  options: [JSON_OPTION],
  examples: ["agent config check /etc/agent/server.yaml"],
  run({ given, runtime, out, json, absolute }) {
    const shown = given.requiredArgument("FILE");
    const result = loadConfig(runtime.files, absolute(shown));
    if (result.ok) {
      const { role, name } = result.config;
      out.write(
        1,
        json
          ? `${JSON.stringify({ type: "config", file: shown, role, name })}\n`
          : `${shown}: a good ${role} configuration\n`,
      );
      return Promise.resolve(EXIT_OK);
    }
    for (const problem of result.problems) {
      const line = json
        ? JSON.stringify({ type: "error", code: "usage", file: shown, ...problem })
        : formatProblem(shown, problem);
      out.write(2, `${line}\n`);
    }
    return Promise.resolve(EXIT_USAGE);
  },
};
