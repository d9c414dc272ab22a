// Whether two byte strings are the same, in time that depends on the lengths only: tokens that a
// peer presents are compared with this, so that it learns nothing from how long a refusal takes.

/** True when both have the same length and bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= (a[index] ?? 0) ^ (b[index] ?? 0);
  return difference === 0;
}
