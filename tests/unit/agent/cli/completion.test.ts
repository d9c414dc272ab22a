// Completion: what each shell offers, by the shell itself. Of zsh and bash, whose completion needs a
// terminal, the words that their scripts hand over.

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

/** What a shell offers after the words of each line, in its own way. */
const OFFERERS = {
  // "FILES" where it turns to its own.
  bash: `compopt() { echo -n "FILES "; }
while IFS=, read -ra typed; do
  COMP_WORDS=(agent "\${typed[@]}"); COMP_CWORD=\${#typed[@]}
  _agent
  echo "\${COMPREPLY[*]}"
done`,
  // It leaves the choice among the words to the caller.
  zsh: `compadd() { shift; offered=("$@"); }
_files() {}
while IFS= read -r line; do
  words=(agent "\${(@s:,:)\${line%,}}"); CURRENT=$#words; offered=()
  _agent
  print -r -- \${(M)offered:#\${words[CURRENT]}*}
done`,
  // It offers options only once a dash is typed, sorted, and with what they are.
  fish: `while read line
  echo (complete -C "agent "(string replace -r -- ',$' '' $line | string replace -a -- , ' ') |
    string replace -r '\\t.*' '')
end`,
} as const;

/** None reads what the user of the machine has configured. */
const PROLOGUES = { bash: [], zsh: ["-f"], fish: ["--no-config"] } as const;

type Lines = readonly (readonly string[])[];

function offeredBy(shell: typeof SHELLS[number], lines: Lines): Lines {
  const needs = shell === "zsh" ? "compdef() {}\n" : "";
  const script = completionScript(shell, ROOT_COMMAND, COMMANDS);
  const program = `${needs}${script}\n${OFFERERS[shell]}`;
  // A comma after the last word keeps one that is empty.
  const input = lines.map((words) => `${words.join(",")},\n`).join("");
  const { status, stdout, stderr } = spawnSync(shell, [...PROLOGUES[shell], "-c", program], {
    input,
  });
  expect([shell, status, String(stderr)]).toEqual([shell, 0, ""]);
  const rows = String(stdout).split("\n").slice(0, -1);
  return rows.map((row) => row.split(" ").filter((word) => word !== ""));
}

const offeredAll = (lines: Lines) => offeredBy("bash", lines);

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

  test("every shell offers commands, second words, options and choices", () => {
    const lines = [
      ["ba"],
      ["backup", ""],
      ["backup", "filesystem", "--cl"],
      ["--ro"],
      ["verify", "latest", "--da"],
      ["--role", ""],
      ["restore", "latest", "--overwrite", "al"],
      ["doctor", "--json", "--ro"],
      ["stg", "fo"],
    ];
    for (const shell of SHELLS) {
      const offered = offeredBy(shell, lines).map((words) => words.toSorted());
      expect([shell, offered]).toEqual([shell, [
        ["backup", "backups"],
        ["database", "filesystem"],
        ["--client"],
        ["--role"],
        ["--data"],
        ["client", "server"],
        ["always"],
        ["--role"],
        ["format"],
      ]]);
    }
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
