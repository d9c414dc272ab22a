// `agent --role server|client`: the daemon in the foreground, as a systemd unit starts it.

import type { Command } from "../command.ts";

export const role: Command = {
  name: "",
  summary: "Run a daemon in the foreground, or one of the commands below",
  arguments: [],
  options: [
    {
      name: "role",
      value: "ROLE",
      help: "What the daemon is",
      required: true,
      choices: ["server", "client"],
    },
    { name: "config", value: "FILE", help: "Configuration (default /etc/agent/ROLE.yaml)" },
    { name: "version", value: null, help: "Print the version" },
  ],
  examples: ["agent --role server --config server.yaml", "agent --role client"],
  run({ given, absolute, runDaemon }) {
    const asked = given.required("role") === "server" ? "server" : "client";
    const configFile = absolute(given.value("config") ?? `/etc/agent/${asked}.yaml`);
    return runDaemon({ role: asked, configFile });
  },
};
