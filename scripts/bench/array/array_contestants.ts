// Everything that one round of the array's benchmark runs, in this order, and how.

import type { ArrayBed } from "./array_bed.ts";
import { requestsName } from "./array_goals.ts";
import type { ArrayFigures, ArrayTask, Store } from "./array_task.ts";
import {
  DEVICE_FIXED,
  REQUESTS,
  STREAM_CACHE_BYTES,
  STREAM_DEVICE_BYTES,
  SWEPT,
  TRACK_BYTES,
  TRACKS_FIXED,
} from "./limits.ts";
import { runArrayPeers } from "./run_array_peers.ts";

export const STORES = ["array", "file"] as const;

export interface ArrayContestant {
  readonly name: string;
  run(): Promise<ArrayFigures>;
}

/** @param runtime the command that runs a TypeScript file in the runtime under test */
export function arrayContestants(
  bed: ArrayBed,
  runtime: readonly string[],
  seconds: number,
): readonly ArrayContestant[] {
  const onStore = async (
    store: Store,
    sizes: { readonly device: number; readonly cache: number },
    tasksOf: (path: string) => readonly ArrayTask[],
  ): Promise<readonly ArrayFigures[]> => {
    const path = store === "array" ? bed.array(sizes.device, sizes.cache) : bed.file(sizes.device);
    try {
      return await runArrayPeers(runtime, tasksOf(path));
    } finally {
      bed.drop(path);
    }
  };
  const stream = (store: Store, processes: number): ArrayContestant => ({
    name: processes === 1 ? store : `${store}-${processes}`,
    run: async () => {
      const sizes = { device: STREAM_DEVICE_BYTES, cache: STREAM_CACHE_BYTES };
      const found = await onStore(
        store,
        sizes,
        (path) =>
          Array.from({ length: processes }, (_, lane) => {
            return { measure: "stream", store, path, lane, lanes: 2, seconds } as const;
          }),
      );
      return { bytesPerSecond: found.reduce((sum, one) => sum + (one.bytesPerSecond ?? NaN), 0) };
    },
  });
  const requests = (store: Store, varied: "device" | "tracks", value: number): ArrayContestant => ({
    name: requestsName(store, varied, value),
    run: async () => {
      const tracks = varied === "tracks" ? value : TRACKS_FIXED;
      const deviceBytes = varied === "device" ? value : DEVICE_FIXED;
      const sizes = { device: deviceBytes, cache: 2 * tracks * TRACK_BYTES };
      const [figures = {}] = await onStore(store, sizes, (path) => [
        { measure: "requests", store, path, tracks, deviceBytes, requests: REQUESTS },
      ]);
      return figures;
    },
  });
  return [
    ...[1, 2].flatMap((processes) => STORES.map((store) => stream(store, processes))),
    ...(["device", "tracks"] as const).flatMap((varied) =>
      SWEPT[varied].flatMap((value) => STORES.map((store) => requests(store, varied, value)))
    ),
    { name: "create", run: () => Promise.resolve(bed.create()) },
  ];
}
