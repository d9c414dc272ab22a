// A thread that takes a lock on the file it is told, says so, and never lets go.

import { AT_CWD, currentRuntime } from "../../../../transport/runtime/mod.ts";

const { files, parentThread } = await currentRuntime();
const parent = parentThread();
parent.onMessage((path) => {
  const descriptor = files.open(AT_CWD, String(path), { access: "read-write", create: true });
  files.lock(descriptor, "exclusive", { wait: true });
  parent.post("locked");
});
