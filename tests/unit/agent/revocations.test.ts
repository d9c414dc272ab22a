// The list of revoked certificates, as it is read at each handshake.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { revocations } from "../../../agent/revocations.ts";
import { currentRuntime } from "../../../transport/runtime/mod.ts";

const { files } = await currentRuntime();

let folder: string;
let list: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "revocations-"));
  list = join(folder, "revoked.txt");
});

afterEach(() => rmSync(folder, { recursive: true }));

describe("revocations()", () => {
  test("takes serials in any spelling, names, and comments; and what was added since", () => {
    writeFileSync(list, "# lost in May\n0a:1B:2c  # web07\nweb08\n\n");
    const isRevoked = revocations(files, list);
    expect(isRevoked({ serial: "a1b2c", names: ["web07"] })).toBe(true);
    expect(isRevoked({ serial: "1", names: ["web08"] })).toBe(true);
    expect(isRevoked({ serial: "1", names: ["web01"] })).toBe(false);
    writeFileSync(list, "web01\n");
    expect(isRevoked({ serial: "1", names: ["web01"] })).toBe(true);
    expect(isRevoked({ serial: "1", names: ["web08"] })).toBe(false);
  });

  test("lets nobody in by a list that is gone, too long, or no file", () => {
    expect(() => revocations(files, list)).toThrow("ENOENT");
    writeFileSync(list, "");
    const isRevoked = revocations(files, list);
    const look = () => isRevoked({ serial: "1", names: ["web01"] });
    expect(look()).toBe(false);
    writeFileSync(list, "x".repeat(256 * 1024 + 1));
    expect(look).toThrow("found more than");
    rmSync(list);
    expect(look).toThrow("ENOENT");
    expect(() => revocations(files, folder)).toThrow("found no file");
  });
});
