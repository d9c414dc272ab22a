// A small SVG line plot: logarithmic x axis of sizes, linear y axis from zero, a legend. Pure.
//
// The colours keep their contrast on white and on black, and the background is left out, so that
// the file suits light and dark pages.

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

const WIDTH = 720;
const HEIGHT = 420;
const FRAME = { left: 64, right: 24, top: 48, bottom: 92 } as const;
const COLORS = ["#2f81f7", "#d9822b", "#8a63d2", "#2da44e", "#cf4a5b"] as const;
const INK = "#808080";

export function linePlot(options: PlotOptions): string {
  const { series, title, xLabel, yLabel, xText } = options;
  const xs = [...new Set(series.flatMap(({ points }) => points.map(({ x }) => x)))]
    .sort((a, b) => a - b);
  const yMax = niceMax(Math.max(0, ...series.flatMap(({ points }) => points.map(({ y }) => y))));
  const at = scales(xs, yMax);
  const bottom = HEIGHT - FRAME.bottom;
  const parts = [
    text(WIDTH / 2, 24, title, 'text-anchor="middle" font-size="15" font-weight="600"'),
    ...[0, 1, 2, 3, 4, 5].flatMap((step) => {
      const y = yMax * step / 5;
      const line = `M${FRAME.left} ${at.y(y)}H${WIDTH - FRAME.right}`;
      return [
        `<path d="${line}" stroke="${INK}" stroke-opacity="0.3"/>`,
        text(FRAME.left - 8, at.y(y) + 4, String(Number(y.toFixed(2))), 'text-anchor="end"'),
      ];
    }),
    ...xs.map((x) => text(at.x(x), bottom + 18, xText(x), 'text-anchor="middle"')),
    text(WIDTH / 2, bottom + 40, xLabel, 'text-anchor="middle"'),
    text(0, 0, yLabel, `text-anchor="middle" transform="translate(16 ${HEIGHT / 2}) rotate(-90)"`),
    ...series.flatMap((one, index) => drawSeries(one, index, at)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="none">\n` +
    `<title>${escaped(title)}</title>\n${parts.join("\n")}\n</svg>\n`;
}

interface Scales {
  readonly x: (x: number) => number;
  readonly y: (y: number) => number;
}

function scales(xs: readonly number[], yMax: number): Scales {
  const [low, high] = [Math.log2(xs[0] ?? 1), Math.log2(xs.at(-1) ?? 2)];
  const width = WIDTH - FRAME.left - FRAME.right;
  const height = HEIGHT - FRAME.top - FRAME.bottom;
  const part = (x: number) => high === low ? 0.5 : (Math.log2(x) - low) / (high - low);
  const round = (value: number) => Math.round(value * 10) / 10;
  return {
    x: (x) => round(FRAME.left + 20 + part(x) * (width - 40)),
    y: (y) => round(FRAME.top + height * (1 - y / yMax)),
  };
}

function drawSeries({ label, points, dashed }: PlotSeries, index: number, at: Scales): string[] {
  const color = COLORS[index % COLORS.length] ?? INK;
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const path = sorted.map(({ x, y }, n) => `${n === 0 ? "M" : "L"}${at.x(x)} ${at.y(y)}`).join("");
  const dash = dashed === true ? ' stroke-dasharray="6 5"' : "";
  const legendX = FRAME.left + (index % 2) * 320;
  const legendY = HEIGHT - 28 + Math.floor(index / 2) * 18;
  return [
    `<path d="${path}" stroke="${color}" stroke-width="2"${dash}/>`,
    ...(dashed === true
      ? []
      : sorted.map(({ x, y }) =>
        `<circle cx="${at.x(x)}" cy="${at.y(y)}" r="3.5" fill="${color}"/>`
      )),
    `<path d="M${legendX} ${legendY - 4}h24" stroke="${color}" stroke-width="2"${dash}/>`,
    text(legendX + 32, legendY, label, ""),
  ];
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
export function niceMax(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 2.5, 5, 10].find((step) => step * power >= value)) ?? 10) * power;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" fill="${INK}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
