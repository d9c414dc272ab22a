// The gate's steps: every runtime gets every test folder, and names select what they say.

import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { allSteps, selectSteps, type Step } from "../../../scripts/gate/steps.ts";

const root = fileURLToPath(import.meta.resolve("../../../")).replace(/\/$/, "");
const tools = { root, deno: "deno", bun: "bun", permissions: ["-A"] };
const steps = allSteps({ ...tools, full: true });
const names = (selected: ReturnType<typeof selectSteps>): string[] =>
  "unknown" in selected ? [`unknown ${selected.unknown}`] : selected.map((step: Step) => step.name);

describe("selectSteps()", () => {
  test("selects everything without names", () => {
    expect(selectSteps(steps, [])).toEqual(steps);
  });
  test("selects a folder under both runtimes", () => {
    expect(names(selectSteps(steps, ["unit"]))).toEqual(["unit-deno", "unit-bun"]);
  });
  test("selects a group and a single step in the order of the gate", () => {
    expect(names(selectSteps(steps, ["unit-bun", "static"])))
      .toEqual(["fmt", "lint", "types", "structure", "unit-bun"]);
  });
  test("names what it does not know", () => {
    expect(names(selectSteps(steps, ["unit", "nothing"]))).toEqual(["unknown nothing"]);
  });
});

describe("allSteps()", () => {
  test("moves the full amount only in the complete run", () => {
    const bytes = (full: boolean): (string | undefined)[] =>
      allSteps({ ...tools, full })
        .filter((step) => step.name === "unit-deno")
        .map((step) => step.env["CONFORMANCE_BYTES"]);
    expect(bytes(true)).toEqual([String(1024 ** 3)]);
    expect(bytes(false)).toEqual([String(16 * 1024 ** 2)]);
  });
});
