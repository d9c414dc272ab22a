// An emulated array as the command line and the control endpoint show it: types only.
//
// The shape is that of the emulator's own status, which only the composition root may import.

export interface ArrayView {
  readonly directory: string;
  readonly uuid: string;
  readonly attached: boolean;
  readonly memory: string;
  readonly missingBoards: readonly number[];
  readonly devices: readonly ArrayDeviceView[];
  readonly boards: readonly ArrayBoardView[];
  readonly hosts: readonly ArrayHostView[];
}

/** What hosts did: `reads` and `writes` count requests, those in bytes bytes, others tracks. */
export interface ArrayFigures {
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly stages: number;
  readonly destages: number;
  readonly evictions: number;
  readonly delayedWrites: number;
  readonly prefetches: number;
  readonly prefetchesUsed: number;
  readonly prefetchesWasted: number;
}

export interface ArrayDeviceView extends ArrayFigures {
  readonly name: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  /** Tracks. */
  readonly inCache: number;
  readonly writePending: number;
  readonly damaged: number;
}

/** Here `reads` and `writes` count tracks too. */
export interface ArrayBoardView extends Omit<ArrayFigures, "readBytes" | "writtenBytes"> {
  readonly board: number;
  readonly slots: number;
  readonly inUse: number;
  readonly writePending: number;
  readonly pendingShare: number;
  readonly waits: number;
  readonly waitMicros: number;
  readonly repairs: number;
}

export interface ArrayHostView extends ArrayFigures {
  readonly host: string;
  readonly pid: number;
  readonly attached: boolean;
  readonly waits: number;
  readonly waitMicros: number;
}

/** Tracks of the cylinders of one bin; bins without any are left out. */
export interface ArrayMapBin {
  readonly bin: number;
  readonly inCache: number;
  readonly writePending: number;
  readonly damaged: number;
}

/** What of a device is in cache, over its cylinders. */
export interface ArrayDeviceMap {
  readonly name: string;
  readonly cylinders: number;
  readonly cylindersPerBin: number;
  readonly tracksPerCylinder: number;
  readonly bins: readonly ArrayMapBin[];
}
