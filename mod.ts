// The program: started directly it is the command line. It exports nothing and imports next to
// nothing, so that its exit code holds whatever else is missing (agent/start_program.ts); the door
// of the library is transport/mod.ts.

import { startProgram } from "./agent/mod.ts";

if (import.meta.main) await startProgram(import.meta.url);
