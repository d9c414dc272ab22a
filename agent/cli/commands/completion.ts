// `agent completion bash|zsh|fish`: a script that completes command lines in that shell.

import { AgentError } from "../../../transport/ground/error.ts";
import { EXIT_OK } from "../../exit_code.ts";
import type { Command } from "../command.ts";
import { SHELLS } from "../completion_script.ts";

export const completion: Command = {
  name: "completion",
  summary: "Print a script that completes command lines in a shell",
  details: "bash: into /usr/share/bash-completion/completions/agent, or `source` it.\n" +
    "zsh: as _agent into a directory of $fpath. fish: into ~/.config/fish/completions/agent.fish.",
  arguments: [{ name: "SHELL", help: SHELLS.join(", "), required: true }],
  options: [],
  examples: ["agent completion bash", "source <(agent completion bash)"],
  run({ given, out, completion }) {
    const asked = given.requiredArgument("SHELL");
    const shell = SHELLS.find((one) => one === asked);
    if (shell === undefined) {
      throw new AgentError(
        "usage",
        `Cannot complete for "${asked}": need ${SHELLS.join(", ")}`,
        { hint: "Name one of these shells." },
      );
    }
    out.write(1, completion(shell));
    return Promise.resolve(EXIT_OK);
  },
};
