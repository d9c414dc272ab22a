// Door of the agent room.

export { runProgram } from "./program.ts";
