// Repeats a measurement that the machine's host disturbed.

import { STEAL_MAX, TRIES_MAX } from "./limits.ts";
import { measureSteal } from "./steal.ts";

/** Runs until the machine was quiet enough. @throws Error when it never is */
export async function runQuiet<T>(
  name: string,
  run: () => Promise<T>,
  note: (text: string) => void,
): Promise<T> {
  for (let tries = 1;; tries += 1) {
    const steal = measureSteal();
    const figures = await run();
    const taken = steal();
    if (taken <= STEAL_MAX) return figures;
    note(`${name}: discarded, ${(taken * 100).toFixed(0)} % of the time was taken`);
    if (tries === TRIES_MAX) throw new Error("Cannot measure: the machine is too busy");
  }
}
