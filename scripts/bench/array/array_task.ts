// What one process of the array's benchmark is told, as JSON in its only argument, and what it
// prints. Types.

/** The array, or a bare file on tmpfs with the same positional reads and writes. */
export type Store = "array" | "file";

export type ArrayTask =
  /** Writes and reads a region in requests of CHUNK_BYTES, pass after pass. */
  | {
    readonly measure: "stream";
    readonly store: Store;
    readonly path: string;
    /** Which cylinders are this process's own: those whose number modulo `lanes` is `lane`. */
    readonly lane: number;
    readonly lanes: number;
    readonly seconds: number;
  }
  /** Single records at random, out of `tracks` tracks that lie evenly over the device. */
  | {
    readonly measure: "requests";
    readonly store: Store;
    readonly path: string;
    readonly tracks: number;
    readonly deviceBytes: number;
    readonly requests: number;
  };

export interface ArrayFigures {
  readonly bytesPerSecond?: number;
  readonly readUs?: number;
  readonly writeUs?: number;
  /** A read that finds its track not in cache: staging, and giving up another track. */
  readonly missUs?: number;
  /** What two processes make together, over what one makes alone. */
  readonly gain?: number;
  readonly createSeconds?: number;
  readonly metadataBytes?: number;
}
