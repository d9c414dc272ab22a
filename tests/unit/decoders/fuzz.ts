// The harness: changed inputs go into each decoder of the table. A decoder may answer or throw an
// AgentError; anything else, a length that was believed unchecked, or a call that takes long, is a
// finding with its seed.

import { AgentError } from "../../../transport/ground/error.ts";
import { SeededRandom } from "../../simulation/seeded_random.ts";
import type { Decoder } from "./decoder_table.ts";
import { mutate } from "./mutate.ts";

/** Bytes of one buffer: no input here is near it, so that only its claims can be. */
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
/** Milliseconds of one call: a busy machine takes its time, a loop without end does not come back. */
const CALL_MS_MAX = 5_000;

/** Runs one decoder `runs` times. @returns what is wrong, in words; null when nothing is */
export function fuzz(decoder: Decoder, seed: number, runs: number): string | null {
  const random = new SeededRandom(seed);
  using watch = new BufferWatch();
  for (let run = 0; run < runs; run++) {
    const from = decoder.seeds[random.below(decoder.seeds.length)] ?? new Uint8Array(0);
    const input = fitted(mutate(from, random), decoder.length);
    if (decoder.seal !== undefined && random.chance(0.8)) decoder.seal(input);
    const startMs = performance.now();
    const wrong = failureOf(decoder, input) ?? watch.found;
    const tookMs = performance.now() - startMs;
    const finding = wrong ?? (tookMs > CALL_MS_MAX ? `took ${Math.round(tookMs)} ms` : null);
    if (finding === null) continue;
    return `${decoder.name}, seed ${seed}, run ${run}: ${finding}; input ${input.toHex()}`;
  }
  return null;
}

function failureOf({ decode }: Decoder, input: Uint8Array): string | null {
  try {
    decode(input);
    return null;
  } catch (error) {
    if (error instanceof AgentError) return null;
    return error instanceof Error
      ? `${error.name}: ${error.message}\n${error.stack}`
      : String(error);
  }
}

/** As long as its caller reads. */
export function fitted(bytes: Uint8Array, length: number | undefined): Uint8Array {
  if (length === undefined || bytes.length === length) return bytes;
  const whole = new Uint8Array(length);
  whole.set(bytes.subarray(0, length));
  return whole;
}

/** Stands in for Uint8Array and sees how large a buffer somebody asks for. */
class BufferWatch implements Disposable {
  readonly #original = globalThis.Uint8Array;
  found: string | null = null;

  constructor() {
    globalThis.Uint8Array = new Proxy(this.#original, {
      construct: (target, args, newTarget) => {
        const [length] = args;
        if (typeof length === "number" && length > BUFFER_BYTES_MAX) {
          this.found = `asks for a buffer of ${length} bytes`;
          throw new RangeError(this.found);
        }
        return Reflect.construct(target, args, newTarget);
      },
    });
  }

  [Symbol.dispose](): void {
    globalThis.Uint8Array = this.#original;
  }
}
