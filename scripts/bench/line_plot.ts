// A small SVG line plot: logarithmic x axis of sizes, linear y axis from zero, a legend. Pure.

import {
  axis,
  colorOf,
  drawing,
  FRAME,
  HEIGHT,
  legend,
  niceMax,
  rounded,
  text,
  WIDTH,
  yPlace,
} from "./drawing.ts";

export interface PlotSeries {
  readonly label: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Drawn dashed: something to compare with. */
  readonly dashed?: true;
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** The text of an x value, such as "64 KiB". */
  readonly xText: (x: number) => string;
  readonly series: readonly PlotSeries[];
}

export function linePlot(options: PlotOptions): string {
  const { series, title, xLabel, yLabel, xText } = options;
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))]
    .sort((a, b) => a - b);
  const yMax = niceMax(Math.max(0, ...series.flatMap(({ points }) => points.map(({ y }) => y))));
  const at = scales(xs, yMax);
  const bottom = HEIGHT - FRAME.bottom;
  const parts = [
    ...axis(yMax, yLabel),
    ...xs.map((x) => text(at.x(x), bottom + 18, xText(x), 'text-anchor="middle"')),
    text(WIDTH / 2, bottom + 40, xLabel, 'text-anchor="middle"'),
    ...series.flatMap((one, index) => drawSeries(one, index, at)),
  ];
  return drawing(title, parts);
}

interface Scales {
  readonly x: (x: number) => number;
  readonly y: (y: number) => number;
}

function scales(xs: readonly number[], yMax: number): Scales {
  const [low, high] = [Math.log2(xs[0] ?? 1), Math.log2(xs.at(-1) ?? 2)];
  const width = WIDTH - FRAME.left - FRAME.right;
  const part = (x: number) => high === low ? 0.5 : (Math.log2(x) - low) / (high - low);
  return {
    x: (x) => rounded(FRAME.left + 20 + part(x) * (width - 40)),
    y: (y) => yPlace(y, yMax),
  };
}

function drawSeries({ label, points, dashed }: PlotSeries, index: number, at: Scales): string[] {
  const color = colorOf(index);
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const path = sorted.map(({ x, y }, n) => `${n === 0 ? "M" : "L"}${at.x(x)} ${at.y(y)}`).join("");
  const dash = dashed === true ? ' stroke-dasharray="6 5"' : "";
  return [
    `<path d="${path}" stroke="${color}" stroke-width="2"${dash}/>`,
    ...(dashed === true
      ? []
      : sorted.map(({ x, y }) =>
        `<circle cx="${at.x(x)}" cy="${at.y(y)}" r="3.5" fill="${color}"/>`
      )),
    ...legend(label, index, `stroke-width="2"${dash}`),
  ];
}
