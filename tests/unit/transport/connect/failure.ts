// Takes the operating error that something under test throws, or that a promise rejects with.

import { AgentError } from "../../../../transport/ground/error.ts";

/** @returns the AgentError of `run`; anything else thrown goes on, success is an error */
export async function failure(run: () => unknown): Promise<AgentError> {
  try {
    await run();
  } catch (thrown) {
    if (thrown instanceof AgentError) return thrown;
    throw thrown;
  }
  throw new Error("found success, need an AgentError");
}
