// Assertions are for our own bugs and stay on in production: a process that broke one of its own
// invariants must not go on writing to shared storage. Operating errors are AgentError instead.

/** Thrown by `assert`; the program's entry points end the process with exit code 70 on it. */
export class AssertionFailure extends Error {
  constructor(message: string) {
    super(`Assertion failed: ${message}`);
    this.name = "AssertionFailure";
  }
}

/** Ends the program (exit 70, through the entry points) unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}
