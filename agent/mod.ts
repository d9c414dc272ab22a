// Door of the agent room.

export { startProgram } from "./start_program.ts";
