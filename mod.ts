// Door of the library, and the program: started directly it is the command line.

export * from "./transport/mod.ts";

import { startProgram } from "./agent/mod.ts";

if (import.meta.main) await startProgram(import.meta.url);
