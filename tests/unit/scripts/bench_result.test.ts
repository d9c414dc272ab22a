// The benchmark's judgement and its texts: ratios within rounds, goals met or missed, the plot.

import { describe, expect, test } from "bun:test";
import { ARRAY_GOALS, withDerived } from "../../../scripts/bench/array/array_goals.ts";
import { contestants } from "../../../scripts/bench/contestants.ts";
import { GOALS, judge, type Rounds, valueOf } from "../../../scripts/bench/goals.ts";
import { figuresOf } from "../../../scripts/bench/iperf.ts";
import { niceMax } from "../../../scripts/bench/drawing.ts";
import { linePlot } from "../../../scripts/bench/line_plot.ts";
import { median } from "../../../scripts/bench/median.ts";
import type { Figures } from "../../../scripts/bench/peer_task.ts";
import { renderResult, toJson } from "../../../scripts/bench/report.ts";

const rounds: Rounds = new Map<string, readonly Figures[]>([
  ["tcp", [{ bytesPerSecond: 2e9 }, { bytesPerSecond: 4e9 }, { bytesPerSecond: 1e9 }]],
  ["stp", [{ bytesPerSecond: 3e9, medianUs: 5 }, { bytesPerSecond: 4e9 }, { bytesPerSecond: 2e9 }]],
  ["idle", [{ firstMs: 60, idleCpuPart: 0.012, connectionCpuPart: 0.005 }]],
]);
const all = contestants({ iperf3: () => null, device: () => null });

describe("valueOf()", () => {
  test("is the median of the rounds' own ratios", () => {
    const by = ["tcp", "bytesPerSecond"] as const;
    expect(valueOf({ of: ["stp", "bytesPerSecond"], by }, rounds)).toBe(1.5);
    expect(valueOf({ of: ["stp", "bytesPerSecond"], by: null }, rounds)).toBe(3e9);
    expect(valueOf({ of: ["raw", "bytesPerSecond"], by: null }, rounds)).toBeNull();
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });
});

describe("judge()", () => {
  test("judges the goals whose contestants ran, by their bounds", () => {
    const verdicts = judge(GOALS, rounds).map(({ what, met }) => [what, met]);
    expect(verdicts).toEqual([
      ["stream, STP to TCP", true],
      ["first message after 10 s of silence", false],
      ["an end of an idle connection, part of a core", true],
    ]);
  });

  test("every goal is of contestants that exist", () => {
    const names = all.map((one) => one.name);
    for (const { of, by } of GOALS) {
      expect(names).toContain(of[0]);
      expect(names).toContain(by?.[0] ?? of[0]);
    }
  });
});

describe("withDerived()", () => {
  const swept = { device: [1, 2], tracks: [1] };
  const round = new Map([
    ["array", { bytesPerSecond: 10 }],
    ["array-2", { bytesPerSecond: 18 }],
    ["file", { bytesPerSecond: 4 }],
    ["file-2", { bytesPerSecond: 8 }],
    ["array-device-1", { readUs: 1, writeUs: 5, missUs: 10 }],
    ["array-device-2", { readUs: 2, writeUs: 6, missUs: 15 }],
    ["file-device-1", { readUs: 3, writeUs: 3 }],
    ["file-device-2", { readUs: 4.5, writeUs: 3.25 }],
  ]);

  test("adds gains and growths, which the goals judge", () => {
    const all = withDerived(round, swept);
    expect(all.get("array-2")?.gain).toBe(1.8);
    expect(all.get("device-growth")).toEqual({ readUs: -0.5, writeUs: 0.75, missUs: 1.5 });
    const verdicts = judge(ARRAY_GOALS, new Map([...all].map(([name, one]) => [name, [one]])));
    const found = new Map(verdicts.map(({ what, met }) => [what, met]));
    expect(found.get("gain of a second process on other boards, array to bare file")).toBe(true);
    expect(found.get("growth of a fast write beyond a file's, 1 GiB to 1 TiB of device")).toBe(
      false,
    );
  });
});

describe("renderResult() and toJson()", () => {
  const verdicts = judge(GOALS, rounds);
  const skipped = ["Left out: iperf3, because it is not installed."];
  const result = { runtime: "deno", contestants: all, rounds, verdicts, skipped };

  test("show what ran, what is met, and what was left out", () => {
    const text = renderResult(result);
    expect(text).toMatch(/STP over the array, checksums on +3\.00 +1\.50 /);
    expect(text).toMatch(/stream, STP to TCP +1\.50 x +at least 1\.2 x, aim at 1\.4 +met/);
    expect(text).toMatch(/first message.* 60\.0 ms +at most 50 ms +missed/);
    expect(text).toContain("Left out: iperf3");
    expect(text).not.toContain("loop device, direct");
    expect(JSON.parse(JSON.stringify(toJson(result)))).toMatchObject({
      type: "summary",
      runtime: "deno",
      contestants: [{ name: "tcp" }, { name: "stp", medians: { bytesPerSecond: 3e9 } }, {}],
    });
  });
});

describe("figuresOf()", () => {
  test("takes rate and CPU from iperf3's report, and its error", () => {
    const end = {
      sum_received: { bytes: 4e9, seconds: 2 },
      cpu_utilization_percent: { host_total: 40, remote_total: 60 },
    };
    expect(figuresOf({ end })).toEqual({ bytesPerSecond: 2e9, cpuSecondsPerGigabyte: 0.5 });
    expect(() => figuresOf({ end, error: "no route" })).toThrow("iperf3: no route");
  });
});

describe("linePlot()", () => {
  test("draws axes with units, every series, and a legend, as well-formed text", () => {
    const svg = linePlot({
      title: "A & B",
      xLabel: "bytes",
      yLabel: "GB/s",
      xText: (x) => `${x} B`,
      series: [
        { label: "one <1>", points: [{ x: 4096, y: 1 }, { x: 65_536, y: 3.2 }] },
        { label: "two", dashed: true, points: [{ x: 4096, y: 2 }] },
      ],
    });
    for (const part of ["A &amp; B", "GB/s", "4096 B", "65536 B", "one &lt;1&gt;", "two"]) {
      expect(svg).toContain(part);
    }
    expect(svg.match(/<circle/g)).toHaveLength(2);
    expect(svg.match(/stroke-dasharray/g)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|undefined/);
    expect([niceMax(0), niceMax(3.2), niceMax(13)]).toEqual([1, 5, 20]);
  });
});
