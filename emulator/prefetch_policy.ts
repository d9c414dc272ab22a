// How far to stage ahead of a reader of consecutive tracks. Pure.
//
// Only misses are looked at, so that hits cost nothing. A miss that begins where the tracks of the
// miss before it ended, those staged ahead included, goes on with that stream, and each time twice
// as many are staged ahead. A miss inside what was staged ahead says that the cache gave it up
// before it was used: then half as many.

import { PREFETCH_FIRST_TRACKS, PREFETCH_MOST_TRACKS, PREFETCH_STREAMS } from "./limits.ts";

/** Tracks of one device that were asked for and not in cache. */
export interface Miss {
  /** Index of the device. */
  readonly device: number;
  /** Number within the device. */
  readonly track: number;
  /** Count of tracks that the request asks for from there on. */
  readonly tracks: number;
}

/** A reader that goes on where it ended, as far as its misses tell. */
export interface SequentialStream {
  readonly device: number;
  /** First track behind what was asked for. */
  readonly asked: number;
  /** First track behind what was staged ahead. */
  readonly staged: number;
  /** Tracks ahead that the stream may have; 0 until it is known to be one. */
  readonly window: number;
}

/** The stream after a miss; a new one when `stream` does not lead there. */
export function followMiss(stream: SequentialStream | undefined, miss: Miss): SequentialStream {
  const { device } = miss;
  const asked = miss.track + miss.tracks;
  const window = stream === undefined ? 0 : windowAfter(stream, miss);
  return { device, asked, staged: asked, window };
}

function windowAfter(stream: SequentialStream, miss: Miss): number {
  if (!leadsTo(stream, miss)) return 0;
  if (miss.track < stream.staged) return Math.floor(stream.window / 2);
  return Math.min(PREFETCH_MOST_TRACKS, Math.max(PREFETCH_FIRST_TRACKS, 2 * stream.window));
}

function leadsTo(stream: SequentialStream, miss: Miss): boolean {
  return stream.device === miss.device && miss.track >= stream.asked &&
    miss.track <= stream.staged;
}

/** The streams of one attached host, the one that missed last first. */
export class SequentialStreams {
  readonly #streams: SequentialStream[] = [];

  /**
   * Notes a miss.
   * @param room tracks that could be staged ahead
   * @returns count of tracks to stage ahead
   */
  onMiss(miss: Miss, room: number): number {
    const at = this.#streams.findIndex((stream) => leadsTo(stream, miss));
    const [found] = at < 0 ? [] : this.#streams.splice(at, 1);
    const stream = followMiss(found, miss);
    const ahead = Math.min(room, stream.window);
    this.#streams.unshift({ ...stream, staged: stream.asked + ahead });
    if (this.#streams.length > PREFETCH_STREAMS) this.#streams.pop();
    return ahead;
  }
}
