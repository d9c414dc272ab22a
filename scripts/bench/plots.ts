// The two plots: throughput against the size of a frame, and against the size of the ring.

import { formatSize } from "../../agent/config/mod.ts";
import type { Contestant, RunContext } from "./contestants.ts";
import { CHUNK_BYTES } from "./limits.ts";
import { median } from "./median.ts";
import { linePlot, type PlotSeries } from "./line_plot.ts";
import type { Figures } from "./peer_task.ts";

const KIB = 1024;

/** Bytes of a write. Below 64 KiB a frame's slot is larger than what it carries. */
const FRAME_SIZES = [4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB, 256 * KIB];

/** Slots of 256 KiB in one ring: 0.5 to 16 MiB. */
const RING_SLOTS = [2, 4, 8, 16, 32, 64];

export interface PlotParts {
  readonly context: RunContext;
  readonly rounds: number;
  readonly tcp: Contestant;
  readonly stp: Contestant;
  /** Runs a contestant on a quiet machine. */
  readonly runQuiet: (contestant: Contestant, context: RunContext) => Promise<Figures>;
}

/** @returns file names and contents */
export async function drawPlots(parts: PlotParts): Promise<ReadonlyMap<string, string>> {
  const { context, tcp, stp } = parts;
  const frames = await sweep(parts, [tcp, stp], FRAME_SIZES, (frameBytes) => ({
    ...context,
    frameBytes,
  }));
  const rings = await sweep(parts, [tcp, stp], RING_SLOTS, (ringSlots) => ({
    ...context,
    ringSlots,
    frameBytes: CHUNK_BYTES,
  }));
  const sized = ({ label, points, ...rest }: PlotSeries): PlotSeries => ({
    ...rest,
    label,
    points: points.map(({ x, y }) => ({ x: x * CHUNK_BYTES, y })),
  });
  const yLabel = "GB/s between two processes";
  const xText = (bytes: number) => formatSize(bytes).replace(/\.\d+ /, " ");
  return new Map([
    [
      "throughput_frame_size.svg",
      linePlot({
        title: "Throughput against the size of a write",
        xLabel: "bytes of one write, one frame each",
        yLabel,
        xText,
        series: frames,
      }),
    ],
    [
      "throughput_ring_size.svg",
      linePlot({
        title: "Throughput against the size of the transmit ring",
        xLabel: "bytes of one ring, frames of 256 KiB",
        yLabel,
        xText: (bytes) => formatSize(bytes),
        // TCP has no such ring: it stands there to compare with.
        series: rings.map((one, index) => sized(index === 0 ? { ...one, dashed: true } : one)),
      }),
    ],
  ]);
}

/** All contestants at each value, one after the other, round after round. */
async function sweep(
  { rounds, runQuiet }: PlotParts,
  contestants: readonly Contestant[],
  values: readonly number[],
  contextOf: (value: number) => RunContext,
): Promise<PlotSeries[]> {
  const found = contestants.map(({ label }) => ({
    label,
    points: values.map((x) => ({ x, samples: [] as number[] })),
  }));
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, value] of values.entries()) {
      for (const [which, contestant] of contestants.entries()) {
        const { bytesPerSecond = NaN } = await runQuiet(contestant, contextOf(value));
        found[which]?.points[index]?.samples.push(bytesPerSecond / 1e9);
      }
    }
  }
  return found.map(({ label, points }) => ({
    label,
    points: points.map(({ x, samples }) => ({ x, y: median(samples) })),
  }));
}
