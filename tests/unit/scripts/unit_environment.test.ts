// Demonstrations and benchmarks start daemons in the environment that the units have.

import { expect, test } from "bun:test";
import { unitEnvironment } from "../../../scripts/demonstration/unit_environment.ts";

for (const role of ["server", "client"] as const) {
  test(`unitEnvironment() has what the unit of the ${role} sets`, () => {
    expect(unitEnvironment(role)).toEqual({
      MIMALLOC_PURGE_DELAY: "10000",
      MIMALLOC_PURGE_HOLES: "0",
    });
  });
}
