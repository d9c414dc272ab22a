// What a client makes sure of before a file of a log goes to the server.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { systemOfFile, walCommandOf } from "../../../../agent/client/wal_request.ts";
import { makeSegment, NAME, SYSTEM } from "../wal/wal_fixture.ts";

const HISTORY = { name: "00000002.history", bytes: new Uint8Array([1]) };
const SEGMENT = { name: NAME, bytes: makeSegment() };
const unsaid = { system: null, known: null };

describe("systemOfFile()", () => {
  test("is what the segment says, or else the cluster that runs the command", () => {
    expect(systemOfFile({ ...unsaid, ...SEGMENT })).toBe(SYSTEM);
    expect(systemOfFile({ ...unsaid, ...SEGMENT, system: SYSTEM, known: SYSTEM })).toBe(SYSTEM);
    expect(systemOfFile({ ...unsaid, ...HISTORY, system: "7" })).toBe("7");
    expect(systemOfFile({ ...unsaid, ...HISTORY, known: "8" })).toBe("8");
  });

  test("refuses a file of another cluster, and one that nobody can tell", () => {
    const refused = (file: Parameters<typeof systemOfFile>[0]) => () => systemOfFile(file);
    expect(refused({ ...unsaid, ...SEGMENT, system: "7" })).toThrow("need 7");
    expect(refused({ ...unsaid, ...SEGMENT, known: "8" })).toThrow("need 8");
    expect(refused({ ...unsaid, ...HISTORY, system: "7", known: "8" })).toThrow("need 8");
    expect(refused({ ...unsaid, ...HISTORY })).toThrow("found no cluster");
    expect(refused({ ...unsaid, ...SEGMENT, name: "postgresql.conf" })).toThrow(
      "a file of the log",
    );
  });
});

test("walCommandOf() names the socket that the database's user may use", () => {
  const control = { kind: "unix", path: "/run/agent/client.sock" } as const;
  const walSocket = { path: "/run/my agent/wal.sock", user: "postgres" };
  const program = ["/usr/bin/agent"];
  expect(walCommandOf(program, "pg", { walSocket, control })).toBe(
    "/usr/bin/agent wal get --database pg --control 'unix:/run/my agent/wal.sock'",
  );
  expect(walCommandOf(program, "pg", { walSocket: null, control })).toBe(
    "/usr/bin/agent wal get --database pg --control unix:/run/agent/client.sock",
  );
});

test("walCommandOf() believes a runtime's 1 only when the program can start", () => {
  const control = { kind: "unix", path: "/run/my agent/client.sock" } as const;
  const ended = (script: string) => {
    const command = walCommandOf(["sh", "-c", script, "agent"], "pg", { walSocket: null, control });
    const { status, stdout } = spawnSync("sh", ["-c", `${command} "a b" c`], { encoding: "utf8" });
    return { status, stdout };
  };
  const words = "wal|get|--database|pg|--control|unix:/run/my agent/client.sock|a b|c|";
  expect(ended('printf "%s|" "$@"')).toEqual({ status: 0, stdout: words });
  expect(ended('test "$1" = --version').status).toBe(1);
  // As a runtime ends that does not find the program, or cannot write where it must.
  expect(ended("exit 1").status).toBe(126);
  for (const code of [126, 127, 143]) expect(ended(`exit ${code}`).status).toBe(code);
});
