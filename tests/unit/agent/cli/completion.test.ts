// Completion: what bash offers, by bash itself; zsh and fish, which a test machine lacks, by what
// their scripts name.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  COMMANDS,
  completionScript,
  manualPage,
  ROOT_COMMAND,
  SHELLS,
} from "../../../../agent/cli/mod.ts";
import { CliBed } from "./cli_bed.ts";

/** What bash offers after the words of each line; "FILES" where it turns to its own. */
function offeredAll(lines: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const script = `${completionScript("bash", ROOT_COMMAND, COMMANDS)}
compopt() { echo -n "FILES "; }
while IFS=, read -ra typed; do
  COMP_WORDS=(agent "\${typed[@]}"); COMP_CWORD=\${#typed[@]}
  _agent
  echo "\${COMPREPLY[*]}"
done`;
  // A comma after the last word keeps one that is empty.
  const input = lines.map((words) => `${words.join(",")},\n`).join("");
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { input });
  expect([status, String(stderr)]).toEqual([0, ""]);
  const rows = String(stdout).split("\n").slice(0, -1);
  return rows.map((row) => row.split(" ").filter((word) => word !== ""));
}

function offered(...words: readonly string[]): readonly string[] {
  return offeredAll([words])[0] ?? [];
}

describe("completion", () => {
  test("bash offers commands, then their second words, then their options", () => {
    expect(offered("ba")).toEqual(["backup", "backups"]);
    expect(offered("backup", "")).toEqual(["filesystem", "database"]);
    expect(offered("backup", "filesystem", "--cl")).toEqual(["--client"]);
    expect(offered("--ro")).toEqual(["--role"]);
    expect(offered("verify", "latest", "--da")).toEqual(["--data"]);
    const all = offeredAll(COMMANDS.map(({ name }) => [...name.split(" "), "--"]));
    for (const [index, { name, options }] of COMMANDS.entries()) {
      const shown = options.filter(({ hidden }) => hidden !== true);
      expect([name, all[index]]).toEqual([
        name,
        [...shown, { name: "help" }].map((option) => `--${option.name}`),
      ]);
    }
  });

  test("bash offers choices after an option that has some, and files after others", () => {
    expect(offered("--role", "")).toEqual(["server", "client"]);
    expect(offered("restore", "latest", "--overwrite", "a")).toEqual(["always"]);
    expect(offered("doctor", "--config", "")).toEqual(["FILES"]);
    expect(offered("doctor", "--json", "--ro")).toEqual(["--role"]);
  });

  test("each shell's script names every command and option, and an unknown shell is usage", async () => {
    for (const shell of SHELLS) {
      const script = completionScript(shell, ROOT_COMMAND, COMMANDS);
      for (const { name, options } of COMMANDS) {
        for (const word of name.split(" ")) expect(script).toContain(word);
        for (const option of options.filter(({ hidden }) => hidden !== true)) {
          expect(script).toContain(option.name);
        }
      }
    }
    const bed = await CliBed.open();
    try {
      const { code, stdout } = await bed.run("completion", "bash");
      expect([code, stdout]).toEqual([0, completionScript("bash", ROOT_COMMAND, COMMANDS)]);
      expect((await bed.run("completion", "csh")).code).toBe(2);
    } finally {
      await bed.close();
    }
  });

  test("manualPage() has every command, and no line that roff takes for a request of its own", () => {
    const page = manualPage(ROOT_COMMAND, COMMANDS, "1.2.3");
    for (const { name, summary } of COMMANDS) {
      expect(page).toContain(`.SS "agent ${name.replaceAll("-", "\\-")}"`);
      expect(page).toContain(summary.replaceAll("-", "\\-"));
    }
    const requests = new Set(page.match(/^\.\w+/gm));
    expect([...requests].sort())
      .toEqual([".B", ".I", ".SH", ".SS", ".TH", ".TP", ".br", ".fi", ".nf"]);
  });
});
