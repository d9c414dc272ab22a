// Door of the library, and the program: started directly it is the command line.

export * from "./transport/mod.ts";

import { runProgram } from "./agent/mod.ts";

if (import.meta.main) await runProgram(import.meta.url);
