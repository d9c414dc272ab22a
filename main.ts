// The program. It imports next to nothing, so that its exit code holds whatever else is missing
// (agent/start_program.ts).

import { startProgram } from "./agent/mod.ts";

await startProgram(import.meta.url);
