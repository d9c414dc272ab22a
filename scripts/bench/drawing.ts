// What the plots have in common: size, axis, colours, legend. Pure.
//
// The colours keep their contrast on white and on black, and the background is left out, so that
// the file suits light and dark pages.

export const WIDTH = 720;
export const HEIGHT = 420;
export const FRAME = { left: 64, right: 24, top: 48, bottom: 92 } as const;
const COLORS = ["#2f81f7", "#d9822b", "#8a63d2", "#2da44e", "#cf4a5b"] as const;
const INK = "#808080";

export function colorOf(series: number): string {
  return COLORS[series % COLORS.length] ?? INK;
}

/** The SVG of these elements. */
export function drawing(title: string, parts: readonly string[]): string {
  const heading = text(
    WIDTH / 2,
    24,
    title,
    'text-anchor="middle" font-size="15" font-weight="600"',
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" ` +
    `font-family="system-ui, sans-serif" font-size="12" fill="none">\n` +
    `<title>${escaped(title)}</title>\n${[heading, ...parts].join("\n")}\n</svg>\n`;
}

/** Lines and numbers of the y axis, which begins at zero. */
export function axis(yMax: number, yLabel: string): string[] {
  const lines = [0, 1, 2, 3, 4, 5].flatMap((step) => {
    const y = yMax * step / 5;
    const at = yPlace(y, yMax);
    return [
      `<path d="M${FRAME.left} ${at}H${WIDTH - FRAME.right}" stroke="${INK}" ` +
      'stroke-opacity="0.3"/>',
      text(FRAME.left - 8, at + 4, String(Number(y.toFixed(2))), 'text-anchor="end"'),
    ];
  });
  const turned = `transform="translate(16 ${HEIGHT / 2}) rotate(-90)"`;
  return [...lines, text(0, 0, yLabel, `text-anchor="middle" ${turned}`)];
}

export function yPlace(y: number, yMax: number): number {
  return rounded(FRAME.top + (HEIGHT - FRAME.top - FRAME.bottom) * (1 - y / yMax));
}

/** A series in the legend, by a line of its colour. */
export function legend(label: string, series: number, stroke: string): string[] {
  const x = FRAME.left + (series % 2) * 320;
  const y = HEIGHT - 28 + Math.floor(series / 2) * 18;
  return [
    `<path d="M${x} ${y - 4}h24" stroke="${colorOf(series)}" ${stroke}/>`,
    text(x + 32, y, label, ""),
  ];
}

export function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" fill="${INK}" ${attributes}>${escaped(content)}</text>`;
}

/** The next of 1, 2, 2.5, 5 times a power of ten. */
export function niceMax(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 2.5, 5, 10].find((step) => step * power >= value)) ?? 10) * power;
}

export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
