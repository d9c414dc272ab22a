// Door of the schedule room: what a daemon starts by itself.

export { Scheduler } from "./scheduler.ts";
