// Datagrams to a socket of this host, by its path and by an abstract name.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { DatagramReceiver } from "./datagram_receiver.ts";

const runtime = await currentRuntime();
const encode = (text: string) => new TextEncoder().encode(text);

describe("sendLocal()", () => {
  test("sends whole messages to a path, and says when nobody is there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "datagram-"));
    try {
      const path = join(folder, "notify");
      expect(() => runtime.sendLocal(path, encode("x"))).toThrow("ENOENT");
      using receiver = await DatagramReceiver.open(path);
      runtime.sendLocal(path, encode("READY=1\n"));
      runtime.sendLocal(path, encode("STOPPING=1\n"));
      expect([receiver.take(), receiver.take(), receiver.take()])
        .toEqual(["READY=1\n", "STOPPING=1\n", null]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("sends to an abstract name, which is exact", async () => {
    const name = `@agent-test-${runtime.process.pid}`;
    using receiver = await DatagramReceiver.open(name);
    runtime.sendLocal(name, encode("READY=1"));
    expect(receiver.take()).toBe("READY=1");
    expect(() => runtime.sendLocal(name.slice(0, -1), encode("x"))).toThrow("ECONNREFUSED");
  });

  test("gives up when nobody takes the messages", async () => {
    const name = `@agent-test-full-${runtime.process.pid}`;
    using _receiver = await DatagramReceiver.open(name);
    const flood = () => {
      for (let count = 0; count < 10_000; count++) runtime.sendLocal(name, encode("x"));
    };
    expect(flood).toThrow("EAGAIN");
  });
});
