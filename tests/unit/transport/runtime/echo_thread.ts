// A thread that answers each message with itself, and fails when it is told to.

import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const parent = (await currentRuntime()).parentThread();
parent.onMessage((message) => {
  if (message === "fail") throw new Error("the thread was told to fail");
  parent.post(message);
});
