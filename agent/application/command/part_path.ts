// Where the parts of a command's streams stand in the tar stream. Pure.
//
//   /NAME/000000001       the parts of the only stream
//   /NAME/2/000000001     of the second one of several
//
// Put end to end in their order, the parts of a stream are what a program wrote: `tar -xOf -
// NAME/2` does that, whatever stands between them.

const PART_DIGITS = 9;

/** One stream of so many, counted from 0. */
export interface StreamPlace {
  readonly index: number;
  readonly count: number;
}

/** Full path of the directory that holds a stream's parts. */
export function streamPath(name: string, { index, count }: StreamPlace): string {
  return count === 1 ? `/${name}` : `/${name}/${index + 1}`;
}

/** Full path of a part, counted from 1. */
export function partPath(name: string, place: StreamPlace, part: number): string {
  return `${streamPath(name, place)}/${String(part).padStart(PART_DIGITS, "0")}`;
}

/** Which of several streams a path belongs to, counted from 0; null for that of an only stream. */
export function streamIndexOf(path: string): number | null {
  const [, stream] = /^\/[^/]+\/(\d+)\/\d+$/.exec(path) ?? [];
  return stream === undefined ? null : Number(stream) - 1;
}
