// The gate's steps: every runtime gets every test folder, and names select what they say.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { allSteps, rowsOf, selectSteps, type Step } from "../../../scripts/gate/steps.ts";

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
  test("runs the whole of tests/integration, on what it built: Deno's bundle and the binary", () => {
    const subjects = (name: string) => ["deno", "binary"].map((subject) => `${name}-${subject}`);
    const expected = ["build", ...subjects("integration"), ...subjects("figures")];
    expect(names(selectSteps(steps, ["integration"]))).toEqual(expected);
    expect(names(selectSteps(steps, ["e2e"]))).toEqual(expected);
  });
  test("leaves out for the bundle what it says does not depend on the runtime", () => {
    const [left] = steps.filter(({ name }) => name === "integration-deno");
    const ignored = left?.command.find((word) => word.startsWith("--ignore="))?.split(/[=,]/) ?? [];
    expect(ignored.length).toBe(6);
    for (const path of ignored.slice(1)) expect(existsSync(`${root}/${path}`)).toBe(true);
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

describe("rowsOf()", () => {
  const rows = rowsOf(steps).map((row) => row.map(({ name }) => name));
  test("puts both runtimes of a folder, and bundle and binary, side by side", () => {
    expect(rows).toContainEqual(["unit-deno", "unit-bun"]);
    expect(rows).toContainEqual(["integration-deno", "integration-binary"]);
    expect(rows.flat()).toEqual(steps.map(({ name }) => name));
  });
  test("lets nothing run beside what judges figures, or makes what others run", () => {
    const alone = ["build", "figures-deno", "figures-binary"];
    for (const name of alone) expect(rows).toContainEqual([name]);
  });
  test("keeps rows apart that a selection brings together", () => {
    const selected = selectSteps(steps, ["unit-bun", "jobs-bun"]);
    expect("unknown" in selected ? [] : rowsOf(selected).length).toBe(2);
  });
});
