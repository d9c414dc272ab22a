// Patterns for one name of a path, as .gitignore has them: `*` is any number of characters, `?`
// one, `[a-z]` and `[!a-z]` one of a set, `\` takes the next character as it is. Case matters.
//
// A character is a code point of valid UTF-8, or one byte of anything else: names are bytes, and
// such a byte is matched by itself (an ignore file may hold it) and by wildcards.
//
// Invariant: a match takes at most (length of the pattern) x (length of the name) steps, whatever
// the pattern: users write ignore files, and a backup reads them as root. Pure.

/** Characters of a name or pattern. */
export type Characters = readonly number[];

/** Behind the last code point: what a byte that is no UTF-8 becomes. */
const BYTE = 0x110000;

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const BANG = 0x21;
const CARET = 0x5e;
const DASH = 0x2d;
const COLON = 0x3a;

/** Smallest code point that takes so many bytes, by the count of bytes after the first. */
const SHORTEST = [0, 0x80, 0x800, 0x10000] as const;

/** The characters of bytes. */
export function charactersOf(bytes: Uint8Array): number[] {
  const characters: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] as number;
    const more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    const point = more <= 0 || first > 0xf4 ? -1 : codePoint(bytes, at, more);
    if (point < 0) characters.push(more === 0 ? first : BYTE + first);
    else characters.push(point);
    at += point < 0 ? 1 : 1 + more;
  }
  return characters;
}

/** The code point of a sequence, -1 when it is not valid. */
function codePoint(bytes: Uint8Array, at: number, more: number): number {
  let point = (bytes[at] as number) & (0x3f >> more);
  for (let next = 1; next <= more; next++) {
    const byte = bytes[at + next] ?? 0;
    if ((byte & 0xc0) !== 0x80) return -1;
    point = (point << 6) | (byte & 0x3f);
  }
  const isSurrogate = point >= 0xd800 && point <= 0xdfff;
  const isTooLong = point < (SHORTEST[more] ?? 0);
  return isSurrogate || isTooLong || point > 0x10ffff ? -1 : point;
}

/** What is wrong with a pattern. */
export class PatternProblem extends Error {}

interface CharacterSet {
  readonly negated: boolean;
  /** First and last character of each range. */
  readonly ranges: readonly (readonly [number, number])[];
}

type Token = number | "star" | "any" | CharacterSet;

export class NamePattern {
  readonly #tokens: readonly Token[];

  private constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** @throws PatternProblem */
  static parse(pattern: Characters): NamePattern {
    const tokens: Token[] = [];
    for (let at = 0; at < pattern.length; at++) {
      const character = pattern[at] as number;
      if (character === BACKSLASH) {
        const next = pattern[++at];
        if (next === undefined) throw new PatternProblem('a "\\" at its end');
        tokens.push(next);
      } else if (character === OPEN) {
        const { set, end } = parseSet(pattern, at + 1);
        tokens.push(set);
        at = end;
      } else if (character === STAR) {
        if (tokens.at(-1) !== "star") tokens.push("star");
      } else tokens.push(character === QUESTION ? "any" : character);
    }
    return new NamePattern(tokens);
  }

  /** Only the last star ever needs another try: what came before it matched at its earliest. */
  matches(name: Characters): boolean {
    const tokens = this.#tokens;
    // Most names are told apart by their ends.
    if (isOther(tokens[0], name[0]) || isOther(tokens.at(-1), name.at(-1))) return false;
    let token = 0;
    let at = 0;
    let afterStar = -1;
    let starEnd = 0;
    while (at < name.length) {
      const wanted = tokens[token];
      if (wanted === "star") {
        afterStar = ++token;
        starEnd = at;
      } else if (wanted !== undefined && isOne(wanted, name[at] as number)) {
        token++;
        at++;
      } else if (afterStar >= 0) {
        token = afterStar;
        at = ++starEnd;
      } else return false;
    }
    if (tokens[token] === "star") token++;
    return token === tokens.length;
  }
}

function isOther(wanted: Token | undefined, character: number | undefined): boolean {
  return typeof wanted === "number" && wanted !== character;
}

function isOne(wanted: Exclude<Token, "star">, character: number): boolean {
  if (typeof wanted === "number") return wanted === character;
  if (wanted === "any") return true;
  const isIn = wanted.ranges.some(([from, to]) => character >= from && character <= to);
  return isIn !== wanted.negated;
}

/** A set from after its "[". @returns it and where its "]" is */
function parseSet(
  pattern: Characters,
  start: number,
): { readonly set: CharacterSet; readonly end: number } {
  const negated = pattern[start] === BANG || pattern[start] === CARET;
  const first = negated ? start + 1 : start;
  const ranges: [number, number][] = [];
  for (let at = first; at < pattern.length; at++) {
    if (pattern[at] === CLOSE && at > first) return { set: { negated, ranges }, end: at };
    if (pattern[at] === OPEN && pattern[at + 1] === COLON) {
      throw new PatternProblem('a class such as "[:alpha:]"');
    }
    if (pattern[at] === BACKSLASH) at++;
    const from = pattern[at];
    let to = from;
    const isRange = pattern[at + 1] === DASH && (pattern[at + 2] ?? CLOSE) !== CLOSE;
    if (isRange) {
      at += pattern[at + 2] === BACKSLASH ? 3 : 2;
      to = pattern[at];
    }
    if (from === undefined || to === undefined) break;
    if (from > to) throw new PatternProblem("a range that ends before it begins");
    ranges.push([from, to]);
  }
  throw new PatternProblem('a "[" without its "]"');
}
