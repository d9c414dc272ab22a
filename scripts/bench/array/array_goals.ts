// What the array has to reach. A hit costs less than a system call, so what it grows by over three
// orders of magnitude is mostly the processor's own caches, which a bare file pays for as well: the
// growth is judged in microseconds beyond the file's. A miss is judged by itself.

import type { Goal, Rounds } from "../goals.ts";
import type { ArrayFigures } from "./array_task.ts";

export type ArrayRounds = Rounds<keyof ArrayFigures>;

/** What a hit or a fast write may cost more at the upper end, beyond what a file's does. */
const GROWTH_US_MAX = 0.5;
/** The same of a miss, as a ratio. */
const MISS_GROWTH_MAX = 1.5;

type Varied = "device" | "tracks";

const TEXTS = {
  readUs: "read hit",
  writeUs: "fast write",
  missUs: "read miss",
} as const;
const FIGURES = ["readUs", "writeUs", "missUs"] as const;

export const ARRAY_GOALS: readonly Goal<keyof ArrayFigures>[] = [
  {
    what: "stream of 256 KiB requests in cache, array to bare file",
    of: ["array", "bytesPerSecond"],
    by: ["file", "bytesPerSecond"],
    least: 0.75,
    unit: "x",
  },
  {
    what: "gain of a second process on other boards, array to bare file",
    of: ["array-2", "gain"],
    by: ["file-2", "gain"],
    least: 0.85,
    unit: "x",
  },
  ...FIGURES.map((figure) => growth(figure, "device")),
  ...FIGURES.map((figure) => growth(figure, "tracks")),
  bound("1 TiB created in", "createSeconds", 1, "s"),
  bound("metadata of 1 TiB that was not written", "metadataBytes", 64 * 2 ** 20, "bytes"),
];

function growth(figure: keyof typeof TEXTS, varied: Varied): Goal<keyof ArrayFigures> {
  const over = varied === "device" ? "1 GiB to 1 TiB of device" : "16 to 16384 tracks in cache";
  const miss = figure === "missUs";
  return {
    what: `growth of a ${TEXTS[figure]}${miss ? "" : " beyond a file's"}, ${over}`,
    of: [`${varied}-growth`, figure],
    by: null,
    most: miss ? MISS_GROWTH_MAX : GROWTH_US_MAX,
    unit: miss ? "x" : "us",
  };
}

function bound(what: string, figure: keyof ArrayFigures, most: number, unit: string) {
  return { what, of: ["create", figure], by: null, most, unit } as const;
}

/** Name of the contestant that asks single records. */
export function requestsName(store: "array" | "file", varied: Varied, value: number): string {
  return `${store}-${varied}-${value}`;
}

/** Adds what one round's figures say together: the gains of two processes, and the growths. */
export function withDerived(
  round: ReadonlyMap<string, ArrayFigures>,
  swept: Readonly<Record<Varied, readonly number[]>>,
): ReadonlyMap<string, ArrayFigures> {
  const all = new Map(round);
  for (const store of ["array", "file"] as const) {
    const [one, two] = [round.get(store), round.get(`${store}-2`)];
    const gain = (two?.bytesPerSecond ?? NaN) / (one?.bytesPerSecond ?? NaN);
    all.set(`${store}-2`, { ...two, gain });
  }
  for (const varied of ["device", "tracks"] as const) {
    const [first = 0, last = 0] = [swept[varied][0], swept[varied].at(-1)];
    const cost = (store: "array" | "file", value: number, figure: keyof ArrayFigures): number =>
      round.get(requestsName(store, varied, value))?.[figure] ?? NaN;
    const grown = (store: "array" | "file", figure: keyof ArrayFigures): number =>
      cost(store, last, figure) - cost(store, first, figure);
    all.set(`${varied}-growth`, {
      readUs: grown("array", "readUs") - grown("file", "readUs"),
      writeUs: grown("array", "writeUs") - grown("file", "writeUs"),
      missUs: cost("array", last, "missUs") / cost("array", first, "missUs"),
    });
  }
  return all;
}
