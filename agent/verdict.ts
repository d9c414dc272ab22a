// What a restore does with one object of its target, as the survey of the target finds. Pure.

/** The position is the code on the wire: append only. */
export const VERDICTS = [
  /** There is nothing yet: it is made. */
  "make",
  /** Something else is there: the object takes its place. */
  "replace",
  /** The content is the same; owner, mode or times are set. */
  "attributes",
  /** It stays as it is. */
  "leave",
  /** It cannot be restored: something is in the way that must not be removed. */
  "blocked",
] as const;

export type Verdict = typeof VERDICTS[number];
