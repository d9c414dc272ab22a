// Documents that are made from the code, to standard output or, with `write`, into docs/:
//
//     documents.ts manual | completion SHELL | configuration | write
//
// tests/unit/scripts/documents.test.ts sees that what lies in docs/ is current.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { COMMANDS, completionScript, manualPage, ROOT_COMMAND, SHELLS } from "../agent/cli/mod.ts";
import { VERSION } from "../agent/daemon_parts.ts";
import { configurationReference } from "./documents/configuration_reference.ts";

function documentOf(name: string, argument: string): string {
  if (name === "manual") return manualPage(ROOT_COMMAND, COMMANDS, VERSION);
  if (name === "configuration") return configurationReference();
  const shell = SHELLS.find((one) => one === argument);
  if (name === "completion" && shell !== undefined) {
    return completionScript(shell, ROOT_COMMAND, COMMANDS);
  }
  throw new Error(`No such document: ${name} ${argument}`);
}

const [name = "", argument = ""] = process.argv.slice(2);
if (name === "write") {
  const path = fileURLToPath(new URL("../docs/configuration.md", import.meta.url).href);
  writeFileSync(path, configurationReference());
} else process.stdout.write(documentOf(name, argument));
