// Loads the X.509 library when a certificate is made: it would cost every other command some 50 ms.
//
// Invariant: reflect-metadata is evaluated first, for the library's dependencies look for it while
// they are loaded. Two imports in one module do not promise that: in a compiled binary the bundler
// evaluates the library before a script that it had to wrap.

export async function loadX509(): Promise<typeof import("./x509_library.ts")> {
  await import("reflect-metadata");
  return await import("./x509_library.ts");
}
