// A picture of an array's cache index as SVG: a heat map over the cylinders of each device. Pure.
//
// A cell is one bin of cylinders, in rows from left to right. Blue: the share of its tracks that is
// in cache, the deeper the more. Orange, from below: the share that is write pending. A red frame:
// something is damaged. The style follows the reader's light or dark theme.

import type { ArrayDeviceMap, ArrayMapBin } from "../control/mod.ts";

const COLUMNS = 64;
const CELL = 12;
const GAP = 2;
const MARGIN = 16;
const TITLE = 22;
const STEP = CELL + GAP;
const WIDTH = 2 * MARGIN + COLUMNS * STEP - GAP;
/** Faintest blue: one track of a thousand cylinders is still seen. */
const FAINTEST = 0.2;

const STYLE = `
    svg { background: #ffffff; font: 12px sans-serif; }
    text { fill: #24292f; } .none { fill: #eaeef2; }
    .cache { fill: #0969da; } .pending { fill: #e36209; }
    .damaged { fill: none; stroke: #cf222e; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      svg { background: #0d1117; } text { fill: #e6edf3; } .none { fill: #21262d; }
      .cache { fill: #58a6ff; } .pending { fill: #ffa657; } .damaged { stroke: #ff7b72; }
    }
  `;

/** The whole picture, one device below the other. */
export function renderArrayMap(title: string, devices: readonly ArrayDeviceMap[]): string {
  const parts: string[] = [];
  let top = MARGIN + 2 * TITLE;
  for (const device of devices) {
    parts.push(text(MARGIN, top - 8, deviceLine(device)));
    parts.push(renderDevice(device, top));
    top += rowsOf(device) * STEP + TITLE + MARGIN;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" ` +
    `viewBox="0 0 ${WIDTH} ${top}" role="img">\n  <style>${STYLE}</style>\n` +
    `  <title>${escape(title)}</title>\n` +
    text(MARGIN, MARGIN + 8, `${title}: blue in cache, orange write pending, red damaged`) +
    parts.join("") + "</svg>\n";
}

function deviceLine({ name, cylinders, cylindersPerBin, bins }: ArrayDeviceMap): string {
  const sum = (of: (bin: ArrayMapBin) => number) => bins.reduce((total, bin) => total + of(bin), 0);
  return `${name}: ${cylinders} cylinders, ${cylindersPerBin} per cell; tracks: ` +
    `${sum((bin) => bin.inCache)} in cache, ${sum((bin) => bin.writePending)} pending, ` +
    `${sum((bin) => bin.damaged)} damaged`;
}

function renderDevice(device: ArrayDeviceMap, top: number): string {
  const cells = binsOf(device);
  const full = Math.floor(cells / COLUMNS);
  const empty: string[] = [];
  // One rectangle per row of cells that hold nothing keeps the picture of a large device small.
  for (let row = 0; row < rowsOf(device); row++) {
    const count = row < full ? COLUMNS : cells % COLUMNS;
    const width = count * STEP - GAP;
    empty.push(rectangle("none", { x: MARGIN, y: top + row * STEP, width, height: CELL }));
  }
  return empty.join("") + device.bins.map((bin) => renderBin(device, bin, top)).join("");
}

function renderBin(device: ArrayDeviceMap, bin: ArrayMapBin, top: number): string {
  const first = bin.bin * device.cylindersPerBin;
  const last = Math.min(first + device.cylindersPerBin, device.cylinders) - 1;
  const tracks = (last - first + 1) * device.tracksPerCylinder;
  const x = MARGIN + bin.bin % COLUMNS * STEP;
  const y = top + Math.floor(bin.bin / COLUMNS) * STEP;
  const parts: string[] = [];
  if (bin.inCache > 0) {
    const opacity = FAINTEST + (1 - FAINTEST) * Math.min(1, bin.inCache / tracks);
    parts.push(rectangle("cache", { x, y, width: CELL, height: CELL }, opacity));
  }
  if (bin.writePending > 0) {
    const height = Math.max(2, Math.round(CELL * Math.min(1, bin.writePending / tracks)));
    parts.push(rectangle("pending", { x, y: y + CELL - height, width: CELL, height }));
  }
  if (bin.damaged > 0) parts.push(rectangle("damaged", { x, y, width: CELL, height: CELL }));
  const cylinders = first === last ? `cylinder ${first}` : `cylinders ${first} to ${last}`;
  const title = `${device.name}, ${cylinders}: ${bin.inCache} of ${tracks} tracks in cache, ` +
    `${bin.writePending} pending, ${bin.damaged} damaged`;
  return `  <g><title>${escape(title)}</title>\n${parts.join("")}  </g>\n`;
}

function binsOf({ cylinders, cylindersPerBin }: ArrayDeviceMap): number {
  return Math.ceil(cylinders / cylindersPerBin);
}

function rowsOf(device: ArrayDeviceMap): number {
  return Math.ceil(binsOf(device) / COLUMNS);
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function rectangle(kind: string, { x, y, width, height }: Box, opacity = 1): string {
  const box = `x="${x}" y="${y}" width="${width}" height="${height}"`;
  const faint = opacity === 1 ? "" : ` fill-opacity="${opacity.toFixed(2)}"`;
  return `  <rect class="${kind}" ${box}${faint}/>\n`;
}

function text(x: number, y: number, content: string): string {
  return `  <text x="${x}" y="${y}">${escape(content)}</text>\n`;
}

function escape(content: string): string {
  return content.replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`)
    // XML has no place for control characters, a path may.
    .replace(/\p{Cc}/gu, "\ufffd");
}
