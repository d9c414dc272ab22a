// What nobody catches is told, in a thread and in the process; whoever is told decides what ends.

import { expect, test } from "bun:test";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { process } = await currentRuntime();

test("onUncaught() is told of rejections and of errors in callbacks, in threads too", async () => {
  const lines: string[] = [];
  const command = process.command(new URL("./uncaught_entry.ts", import.meta.url).href);
  const child = process.start(command, { onLine: (line) => lines.push(line) });
  expect(await child.ended).toBe(7);
  expect(lines).toEqual([
    "thread: nobody waits for it",
    "thread: nobody catches it",
    "thread: still there",
    "process: nor here",
  ]);
}, 20_000);
