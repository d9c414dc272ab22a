// Removes what a benchmark made, also when Ctrl-C ends it: then its processes end as well.

export function clearWhenStopped(bed: { clear(): void }): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      bed.clear();
      Deno.exit(signal === "SIGINT" ? 130 : 143);
    });
  }
}
