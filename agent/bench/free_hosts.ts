// Which host ids a benchmark may take: ids that no agent has, from the highest down, since people
// count from 1. Pure.
//
// Invariants: the id in our own configuration and ids that beat are never taken. Ids that a killed
// process left attached come last: claiming one waits until it counts as dead.

/** What the host table says of an id. */
export interface SeenHost {
  readonly host: number;
  readonly attached: boolean;
  /** Null: not known. Claiming its id finds out. */
  readonly live: boolean | null;
}

/** The ids to try, best first. */
export function freeHosts(
  table: { readonly maxHosts: number; readonly seen: readonly SeenHost[] },
  ownHost: number,
): number[] {
  const ids = Array.from({ length: table.maxHosts }, (_, index) => table.maxHosts - index);
  const others = ids.filter((id) => id !== ownHost);
  const stateOf = (id: number) => table.seen.find((one) => one.host === id);
  const clean = others.filter((id) => stateOf(id)?.attached !== true);
  const left = others.filter((id) => stateOf(id)?.attached === true && !stateOf(id)?.live);
  return [...clean, ...left];
}
