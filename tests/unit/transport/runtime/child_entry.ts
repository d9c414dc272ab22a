// A program for child_process.test.ts: prints its arguments, then waits for the end of its input.

import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const { process } = await currentRuntime();
process.onInputEnd(() => {
  process.write(1, "input ended\n");
  process.exit(0);
});
process.write(1, `${JSON.stringify(process.args)}\n`);
