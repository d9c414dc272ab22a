// Help: what every command promises is frozen in help.golden.txt, so that a change is seen.
//
// Write it anew with: UPDATE_GOLDEN=1 bun test ./tests/unit/agent/cli/help.test.ts

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { commandReference, COMMANDS, ROOT_COMMAND } from "../../../../agent/cli/mod.ts";
import { programHelp } from "../../../../agent/cli/help.ts";
import { CliBed } from "./cli_bed.ts";

const GOLDEN = fileURLToPath(new URL("help.golden.txt", import.meta.url).href);

describe("help", () => {
  test("commandReference() and programHelp() are as frozen", () => {
    const text = programHelp(ROOT_COMMAND, COMMANDS) + "\n" +
      commandReference(ROOT_COMMAND, COMMANDS);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(GOLDEN, text);
    expect(text).toBe(readFileSync(GOLDEN, "utf8"));
  });

  test("each command has a summary, an example that names it, and unique options", () => {
    for (const command of COMMANDS) {
      expect(command.examples.some((one) => one.startsWith(`agent ${command.name}`))).toBe(true);
      const names = command.options.map((option) => option.name);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test("--help of each command, help COMMAND and --version exit 0", async () => {
    const bed = await CliBed.open();
    try {
      for (const command of COMMANDS) {
        const ran = await bed.run(...command.name.split(" "), "--help");
        expect([command.name, ran.code, ran.stderr]).toEqual([command.name, 0, ""]);
        expect(ran.stdout).toContain(`Usage: agent ${command.name}`);
        expect((await bed.run("help", ...command.name.split(" "))).stdout).toBe(ran.stdout);
      }
      const group = await bed.run("backup", "--help");
      expect([group.code, group.stderr]).toEqual([0, ""]);
      expect(group.stdout).toContain("Usage: agent backup COMMAND");
      expect(group.stdout).toContain("backup database");
      expect((await bed.run("help", "backup")).stdout).toBe(group.stdout);
      for (const args of [[], ["--help"], ["help"], ["--role", "server", "--help"]]) {
        expect((await bed.run(...args)).stdout).toContain("Exit codes:");
      }
      expect((await bed.run("--version")).stdout).toBe("agent 1.2.3\n");
    } finally {
      await bed.close();
    }
  });
});
