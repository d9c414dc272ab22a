// A process that lets things go wrong that nobody catches, in a thread and in itself, and prints
// what it was told of them. (Test runners catch such things themselves, also those of threads.)

import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { process, startThread } = await currentRuntime();
const thread = startThread(new URL("./uncaught_thread.ts", import.meta.url));
const say = (text: string) => process.write(1, `${text}\n`);

thread.onMessage((message) => {
  say(`thread: ${message}`);
  if (message === "nobody waits for it") thread.post("throw");
  else if (message === "nobody catches it") thread.post("still there");
  else void Promise.reject(new Error("nor here"));
});
process.onUncaught((thrown) => {
  say(`process: ${thrown instanceof Error ? thrown.message : "?"}`);
  process.exit(7);
});
thread.post("reject");
