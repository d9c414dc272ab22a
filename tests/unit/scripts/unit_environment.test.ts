// Demonstrations and benchmarks start daemons in the environment that the units have.

import { expect, test } from "bun:test";
import { unitEnvironment } from "../../../scripts/demonstration/unit_environment.ts";

for (const role of ["server", "client"] as const) {
  test(`unitEnvironment() has what the unit of the ${role} sets`, () => {
    expect(unitEnvironment(role)).toEqual({
      BUN_JSC_forceRAMSize: "268435456",
      BUN_JSC_useFTLJIT: "0",
      MIMALLOC_PURGE_DELAY: "10000",
      MIMALLOC_PURGE_HOLES: "0",
    });
  });
}
