// Which memory for direct I/O lies in huge pages: looked up in what the kernel says of it.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { IoMemory } from "../../../../transport/runtime/io_memory.ts";
import { openLibc } from "./open_libc.ts";

const memory = new IoMemory(await openLibc());
const KNOWN = existsSync("/sys/kernel/mm/transparent_hugepage");
const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

/** True when the kernel was asked for huge pages below the bytes (the flag `hg`, proc(5)). */
function isHuge(bytes: Uint8Array): boolean {
  const address = memory.addressOf(bytes) ?? 0;
  const areas = readFileSync("/proc/self/smaps", "utf8").matchAll(
    /^([\da-f]+)-([\da-f]+) [^]*?^VmFlags:(.*)$/gm,
  );
  for (const [, from = "", to = "", flags = ""] of areas) {
    if (Number.parseInt(from, 16) > address || address >= Number.parseInt(to, 16)) continue;
    return flags.split(" ").includes("hg");
  }
  throw new Error(`no area of memory at 0x${address.toString(16)}`);
}

describe("IoMemory", () => {
  test("what a frame takes lies in huge pages, what a control block takes does not", () => {
    const large = [64 * 1024, 256 * 1024, 1024 * 1024, 3_000_000].map((bytes) =>
      memory.allocate(bytes)
    );
    const small = [1, 4096, 32 * 1024].map((bytes) => memory.allocate(bytes));
    expect(large.map(isHuge)).toEqual(large.map(() => KNOWN));
    expect(small.map(isHuge)).toEqual(small.map(() => false));
  });

  test("a frame is not spread over more huge pages than it needs", () => {
    for (let piece = 0; piece < 8; piece++) {
      const bytes = memory.allocate(1024 * 1024);
      const address = memory.addressOf(bytes) ?? 0;
      const pages = [address, address + bytes.length - 1].map((at) =>
        Math.floor(at / HUGE_PAGE_BYTES)
      );
      expect(pages[0]).toBe(pages[1] ?? 0);
    }
  });
});
