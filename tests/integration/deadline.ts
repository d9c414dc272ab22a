// Bounds in time for tests that wait for other processes: each wait has a deadline and a name, so
// that a test that hangs says what it waited for.

/** Milliseconds between two looks at a condition that nothing announces. */
const LOOK_MS = 20;

/** @throws Error that names `what` when the promise is not settled in time */
export async function within<T>(
  milliseconds: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`${what}: not within ${milliseconds} ms`);
    timer = setTimeout(() => reject(error), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks until `look` gives a value. @throws Error that names `what` when it is too late */
export async function until<T>(
  milliseconds: number,
  what: string,
  look: () => T | null | Promise<T | null>,
): Promise<T> {
  const endMs = performance.now() + milliseconds;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > endMs) throw new Error(`${what}: not within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Lets a chosen time pass: for events that must come at a random moment, never to wait for one. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
