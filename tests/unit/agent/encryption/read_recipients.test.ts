// Whom a client encrypts for: what is wrong with a key or a file of keys ends the start.

import { writeFileSync } from "node:fs";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { describe, expect, test } from "bun:test";
import { readRecipients } from "../../../../agent/encryption/mod.ts";
import { AgentError } from "../../../../transport/mod.ts";
import { files, withFolder } from "../media/media_fixture.ts";

const [one, two, three] = await Promise.all(
  [1, 2, 3].map(async () => await identityToRecipient(await generateX25519Identity())),
) as [string, string, string];

async function refusal(recipients: readonly string[], path: string | null): Promise<string> {
  try {
    return `none: ${await readRecipients(files, { recipients, recipientsFile: path })}`;
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe("readRecipients()", () => {
  test("gives those of the configuration and those of the file", async () => {
    await withFolder(async (folder) => {
      const recipientsFile = `${folder}/keys`;
      writeFileSync(recipientsFile, `# ours\n${two}\n\n  ${three}\n`);
      const from = { recipients: [one], recipientsFile };
      expect(await readRecipients(files, from)).toEqual([one, two, three]);
      expect(await readRecipients(files, { recipients: [], recipientsFile: null })).toEqual([]);
    });
  });

  test("refuses a mistyped key, a file without keys or with others, and too many", async () => {
    const mistyped = `${one.slice(0, -1)}${one.endsWith("q") ? "p" : "q"}`;
    expect(await refusal([mistyped], null)).toMatch(/^usage: .*mistyped key/);
    expect(await refusal([], "/nonexistent")).toMatch(/^usage: .*recipients_file.*no such file/);
    await withFolder(async (folder) => {
      const path = `${folder}/keys`;
      writeFileSync(path, "# nobody\n");
      expect(await refusal([], path)).toMatch(/^usage: .*found none/);
      writeFileSync(path, `${one}\nssh-ed25519 AAAA\n`);
      expect(await refusal([], path)).toMatch(/^usage: .*line 2/);
      writeFileSync(path, `${one}\n`.repeat(16));
      expect(await refusal([two], path)).toMatch(/^usage: .*17 recipients, need at most 16/);
    });
  });
});
