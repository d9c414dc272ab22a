// Which host ids a benchmark may take, from the highest down, since people count from 1. Pure.
//
// Invariants: the id in our own configuration is never taken. Ids that are attached come last: they
// are an agent's, or were left by a process that was killed. Claiming one tells which, and a living
// holder keeps it.

/** What the host table says of an id. */
export interface SeenHost {
  readonly host: number;
  readonly attached: boolean;
}

/** The ids to try, best first. */
export function freeHosts(
  table: { readonly maxHosts: number; readonly seen: readonly SeenHost[] },
  ownHost: number,
): number[] {
  const ids = Array.from({ length: table.maxHosts }, (_, index) => table.maxHosts - index);
  const others = ids.filter((id) => id !== ownHost);
  const isAttached = (id: number): boolean =>
    table.seen.some(({ host, attached }) => host === id && attached);
  return [...others.filter((id) => !isAttached(id)), ...others.filter(isAttached)];
}
