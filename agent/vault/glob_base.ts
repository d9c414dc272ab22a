// Where everything that include globs can match lies: the directory, or the object, that their
// plain beginnings have in common. A restore of one file then looks at its rows and not at those of
// a million others. Pure.
//
// Invariant: too short a path is only slow, so every character that might mean something to the
// matcher ends the plain beginning.

const ROOT = "/";
const PLAIN = /^[\p{L}\p{N}\p{M} _=,.-]+$/u;
const encoder = new TextEncoder();

/** Full path at or below which lies whatever one of the globs matches; "/" without globs. */
export function globBase(globs: readonly string[]): Uint8Array {
  const [first, ...others] = globs.map(plainComponents);
  let shared = first ?? [];
  for (const other of others) {
    const differs = shared.findIndex((component, index) => component !== other[index]);
    if (differs >= 0) shared = shared.slice(0, differs);
  }
  return encoder.encode(ROOT + shared.join(ROOT));
}

/** True for the path itself and everything below it. */
export function isWithin(path: Uint8Array, base: Uint8Array): boolean {
  if (base.length <= 1) return true;
  const next = path[base.length];
  return (next === undefined || next === 0x2f) && base.every((byte, index) => byte === path[index]);
}

function plainComponents(glob: string): string[] {
  const [before, ...components] = glob.replace(/\/+$/, "").split(ROOT);
  if (before !== "") return []; // Not a full path.
  const special = components.findIndex((one) => !PLAIN.test(one) || /^\.+$/.test(one));
  return special < 0 ? components : components.slice(0, special);
}
