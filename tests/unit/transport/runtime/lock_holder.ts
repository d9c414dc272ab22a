// A process that locks the file named by its first argument, says so, and holds the lock until
// its standard input ends or it is killed.

import process from "node:process";
import { AT_CWD, currentRuntime } from "../../../../transport/runtime/mod.ts";

const runtime = await currentRuntime();
const path = runtime.process.args[0] ?? "";
const descriptor = runtime.files.open(AT_CWD, path, { access: "read-write" });
const got = runtime.files.lock(descriptor, "exclusive", { wait: false });
runtime.process.write(1, got ? "locked\n" : "refused\n");
process.stdin.resume();
