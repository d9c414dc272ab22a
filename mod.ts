// Door of the library; started directly it is the program.

export * from "./transport/mod.ts";

if (import.meta.main) await import("./main.ts");
