// Whether the network between the two sides of a job still carries anything: a link
// that was cut is silent, and TCP alone would wait a quarter of an hour to say so, while the job's
// data may go on through the storage.
//
// Each side says that it is there now and then, and counts the moments in which it listened and
// heard nothing. Moments in which our own thread was busy are not counted, since no timer ran; a
// peer that is about to be busy says so.
//
// Pure: the link runs it on its clock.

import { NETWORK_BEAT_MOMENTS, NETWORK_SILENCE_MOMENTS } from "./limits.ts";

export type NetworkVerdict = "quiet" | "speak" | "silent";

export class NetworkWatch {
  #silentMoments = 0;
  #moments = 0;
  #receivedBytes = 0;
  #peerBusy = false;

  /** A message came over the network; `busy` when the peer will be silent until its next one. */
  heard(busy = false): void {
    this.#silentMoments = 0;
    this.#peerBusy = busy;
  }

  /**
   * A moment has passed.
   * @param listening whether somebody waits for what the peer sends
   * @param receivedBytes count so far: a large message on a slow network is no silence
   * @returns `speak` when the peer should hear of us, `silent` when it counts as out of reach
   */
  moment(listening: boolean, receivedBytes: number): NetworkVerdict {
    this.#moments += 1;
    if (receivedBytes !== this.#receivedBytes) this.#silentMoments = 0;
    this.#receivedBytes = receivedBytes;
    if (listening && !this.#peerBusy) this.#silentMoments += 1;
    if (this.#silentMoments > NETWORK_SILENCE_MOMENTS) return "silent";
    return this.#moments % NETWORK_BEAT_MOMENTS === 0 ? "speak" : "quiet";
  }
}
