// A small SVG bar plot: groups of bars, linear y axis from zero, a legend. Pure.

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

export interface BarPlotOptions {
  readonly title: string;
  readonly yLabel: string;
  readonly groups: readonly string[];
  /** One value for each group. */
  readonly series: readonly { readonly label: string; readonly values: readonly number[] }[];
}

/** Part of a group's width that its bars take. */
const FILLED = 0.8;

export function barPlot({ title, yLabel, groups, series }: BarPlotOptions): string {
  const yMax = niceMax(Math.max(0, ...series.flatMap(({ values }) => values)));
  const groupWidth = (WIDTH - FRAME.left - FRAME.right) / groups.length;
  const barWidth = groupWidth * FILLED / series.length;
  const bottom = HEIGHT - FRAME.bottom;
  const bars = groups.flatMap((group, place) => {
    const left = FRAME.left + groupWidth * place;
    const drawn = series.map(({ values }, index) => {
      const x = rounded(left + groupWidth * (1 - FILLED) / 2 + barWidth * index);
      const y = yPlace(values[place] ?? 0, yMax);
      return `<path d="M${x} ${bottom}V${y}h${rounded(barWidth - 3)}V${bottom}z" ` +
        `fill="${colorOf(index)}"/>`;
    });
    return [...drawn, text(left + groupWidth / 2, bottom + 18, group, 'text-anchor="middle"')];
  });
  const named = series.flatMap(({ label }, index) => legend(label, index, 'stroke-width="8"'));
  return drawing(title, [...axis(yMax, yLabel), ...bars, ...named]);
}
