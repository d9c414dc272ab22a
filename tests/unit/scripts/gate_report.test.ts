// The gate counts tests and shows failed ones from the runners' reports; the samples are what the runners write.

import { describe, expect, test } from "bun:test";
import { countJunit, failedTests, settleCounts } from "../../../scripts/gate/junit_report.ts";

const DENO = `<testsuites name="deno test" tests="6" failures="3">
  <testsuite name="./a.test.ts">
    <testcase name="a" classname="./a.test.ts" time="0.008" line="2">
      <failure message="1 test step failed">1 test step failed.</failure>
    </testcase>
    <testcase name="four" classname="./a.test.ts" time="0.000">
    </testcase>
  </testsuite>
  <testsuite name="ext:deno_node/testing.ts">
    <testcase name="a &gt; one" time="0.001"></testcase>
    <testcase name="a &gt; b" time="0.002"><failure message="x">x</failure></testcase>
    <testcase name="a &gt; b &gt; two" time="0.001">
      <failure message="x">Error: &lt;x&gt;
at y</failure></testcase>
    <testcase name="a &gt; b &gt; three" time="0.000">
      <skipped/>
    </testcase>
  </testsuite>
</testsuites>`;

const BUN = `<testsuites name="bun test" tests="4"><testsuite name="a.test.ts">
  <testsuite name="a"><testcase name="one" classname="a" />
    <testsuite name="b"><testcase name="two" classname="b &gt; a">
      <failure type="AssertionError" message="x">Error: &lt;x&gt;&#10;at y</failure></testcase>
      <testcase name="three" classname="b &gt; a"><skipped /></testcase></testsuite></testsuite>
  <testcase name="four" classname="" /></testsuite></testsuites>`;

describe("countJunit()", () => {
  test("counts the innermost tests of Deno's report", () => {
    expect(countJunit(DENO, "deno")).toEqual({ passed: 2, failed: 1, skipped: 1 });
  });
  test("counts the tests of Bun's report", () => {
    expect(countJunit(BUN, "bun")).toEqual({ passed: 2, failed: 1, skipped: 1 });
  });
});

describe("failedTests()", () => {
  test("shows those of Deno's report with their messages", () => {
    expect(failedTests(DENO, "deno")).toEqual(["a > b > two\n    Error: <x>\n    at y"]);
  });
  test("shows those of Bun's report with their messages", () => {
    expect(failedTests(BUN, "bun")).toEqual(["two\n    Error: <x>\n    at y"]);
  });
});

describe("settleCounts()", () => {
  const counts = { passed: 3, failed: 0, skipped: 2 };
  const good = { exitCode: 0, strict: false, left: 0 };
  test("leaves a good run alone", () => {
    expect(settleCounts(counts, good)).toEqual(counts);
  });
  test("makes skipped tests failures when strict", () => {
    expect(settleCounts(counts, { ...good, strict: true }).failed).toBe(2);
  });
  test("counts what was left behind as one failure", () => {
    expect(settleCounts(counts, { ...good, left: 3 }).failed).toBe(1);
  });
  test("counts a runner that failed without a failed test as one failure", () => {
    expect(settleCounts(counts, { ...good, exitCode: 1 }).failed).toBe(1);
    expect(settleCounts({ ...counts, failed: 4 }, { ...good, exitCode: 1 }).failed).toBe(4);
  });
});
