// The array benchmark's tables and plots. Pure.

import { renderTable } from "../../../agent/cli/table.ts";
import { formatSize } from "../../../agent/config/mod.ts";
import { valueOf } from "../goals.ts";
import { linePlot } from "../line_plot.ts";
import { STORES } from "./array_contestants.ts";
import { type ArrayRounds, requestsName } from "./array_goals.ts";
import type { ArrayFigures, Store } from "./array_task.ts";
import { SWEPT } from "./limits.ts";

/** Medians, for people. */
export function arrayTables(rounds: ArrayRounds): string {
  const right = (title: string) => ({ title, align: "right" } as const);
  const cell = (name: string, figure: keyof ArrayFigures, scale = 1): string => {
    const value = valueOf({ of: [name, figure], by: null }, rounds);
    return value === null ? "-" : (value * scale).toFixed(2);
  };
  const streams = renderTable(
    [{ title: "256 KiB requests" }, ...["one process GB/s", "two GB/s"].map(right)],
    STORES.map((store) => [
      store,
      cell(store, "bytesPerSecond", 1e-9),
      cell(`${store}-2`, "bytesPerSecond", 1e-9),
    ]),
  );
  const titles = ["read hit us", "write us", "miss us", "file read us", "file write us"];
  const sweeps = (["device", "tracks"] as const).map((varied) =>
    renderTable(
      [{ title: varied === "device" ? "device" : "tracks in cache" }, ...titles.map(right)],
      SWEPT[varied].map((value) => {
        const [array, file] = STORES.map((store) => requestsName(store, varied, value));
        return [
          varied === "device" ? formatSize(value) : String(value),
          ...(["readUs", "writeUs", "missUs"] as const).map((one) => cell(array ?? "", one)),
          ...(["readUs", "writeUs"] as const).map((one) => cell(file ?? "", one)),
        ];
      }),
    )
  );
  return [streams, ...sweeps].join("\n");
}

/** The cost of a request against the size of the device, and the count of tracks in cache. */
export function arrayPlots(rounds: ArrayRounds): ReadonlyMap<string, string> {
  const series = (varied: "device" | "tracks", store: Store, figure: "readUs" | "writeUs") => ({
    label: `${store}, ${figure === "readUs" ? "read" : "write"} of 4 KiB`,
    points: SWEPT[varied].map((x) => {
      const of = [requestsName(store, varied, x), figure] as const;
      return { x, y: valueOf({ of, by: null }, rounds) ?? NaN };
    }),
    ...(store === "file" ? { dashed: true as const } : {}),
  });
  const plot = (varied: "device" | "tracks", xLabel: string, xText: (x: number) => string) =>
    linePlot({
      title: `Cost of a request against the ${xLabel}`,
      xLabel,
      yLabel: "microseconds",
      xText,
      series: STORES.flatMap((store) =>
        (["readUs", "writeUs"] as const).map((figure) => series(varied, store, figure))
      ),
    });
  return new Map([
    ["array_device_size.svg", plot("device", "size of the device", formatSize)],
    ["array_cached_tracks.svg", plot("tracks", "count of tracks in cache", String)],
  ]);
}
