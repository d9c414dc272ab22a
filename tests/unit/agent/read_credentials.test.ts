// Which files of `tls` a daemon takes: the key only while it is a secret.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCredentials } from "../../../agent/read_credentials.ts";
import { currentRuntime } from "../../../transport/runtime/current_runtime.ts";

const { files } = await currentRuntime();

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "credentials-"));
  for (const name of ["ca", "cert", "key"]) writeFileSync(join(folder, name), `text of ${name}`);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read() {
  const path = (name: string) => join(folder, name);
  return readCredentials(files, { ca: path("ca"), cert: path("cert"), key: path("key") });
}

describe("readCredentials()", () => {
  for (const mode of [0o600, 0o400, 0o640]) {
    test(`reads a key of mode ${mode.toString(8)}`, () => {
      chmodSync(join(folder, "key"), mode);
      expect(read()).toEqual({ ca: "text of ca", cert: "text of cert", key: "text of key" });
    });
  }

  for (const mode of [0o644, 0o604, 0o602]) {
    test(`refuses a key of mode ${mode.toString(8)}`, () => {
      chmodSync(join(folder, "key"), mode);
      expect(read).toThrow(`found it open to every user (mode 0${mode.toString(8)})`);
    });
  }

  test("names the key and the file that is not there", () => {
    rmSync(join(folder, "key"));
    expect(read).toThrow(`Cannot read \`tls.key\` "${folder}/key": found no such file`);
  });
});
