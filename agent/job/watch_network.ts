// Runs the watch of a job's network on a clock, moment by moment, until the job is over.

import type { Clock } from "../../transport/mod.ts";
import { NETWORK_MOMENT_MS, NETWORK_SILENCE_MOMENTS } from "./limits.ts";
import type { NetworkWatch } from "./network_watch.ts";

export interface WatchedNetwork {
  readonly clock: Clock;
  /** Fires when the job is over. */
  readonly signal: AbortSignal;
  /** Whether somebody waits for what the peer sends. */
  readonly isListening: () => boolean;
  readonly receivedBytes: () => number;
  /** Says to the peer that we are there. */
  readonly speak: () => void;
  readonly fallSilent: (why: string) => void;
}

export async function watchNetwork(watch: NetworkWatch, network: WatchedNetwork): Promise<void> {
  const { clock, signal, isListening, receivedBytes, speak, fallSilent } = network;
  for (;;) {
    try {
      await clock.sleep(NETWORK_MOMENT_MS, { signal });
    } catch {
      return;
    }
    const verdict = watch.moment(isListening(), receivedBytes());
    if (verdict === "speak") speak();
    if (verdict !== "silent") continue;
    watch.heard(); // A network that comes back has its whole time again.
    const seconds = NETWORK_SILENCE_MOMENTS * NETWORK_MOMENT_MS / 1000;
    fallSilent(`the peer said nothing over the network for ${seconds} s`);
  }
}
