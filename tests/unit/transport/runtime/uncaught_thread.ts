// A thread in which things go wrong that nobody catches, and which tells of them.

import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { process, parentThread } = await currentRuntime();
const parent = parentThread();
process.onUncaught((thrown) => parent.post(thrown instanceof Error ? thrown.message : "?"));
parent.onMessage((message) => {
  if (message === "reject") void Promise.reject(new Error("nobody waits for it"));
  else if (message === "throw") {
    setTimeout(() => {
      throw new Error("nobody catches it");
    }, 0);
  } else parent.post(message);
});
