// The ladder: rungs join the two ends of a message, each side keeps its order, and the picture is
// what a person gets to see.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import pc from "picocolors";
import { performances, planLadder } from "../../../../agent/control/ladder_plan.ts";
import { renderLadder } from "../../../../agent/cli/trace_ladder.ts";
import { RUNGS } from "../../../../agent/control/trace_figures.ts";
import type { TraceStep } from "../../../../agent/control/mod.ts";

const paint = pc.createColors(false);

function step(side: "server" | "client", number: string, call: string, atMs = 0): TraceStep {
  return { figure: "4A", side, step: number, call, atMs, skipped: false };
}

const STEPS: readonly TraceStep[] = [
  step("server", "132", "socket(AF_INET, STREAM, TCP) = 5", 0),
  step("server", "136", "connect(5, 127.0.0.1:7531)", 0.4),
  step("client", "158", "accept(4) = 6", 0.1),
  step("server", "138", "send(5, STG stg0)", 0.5),
  step("client", "160", "recv(6) = STG stg0", 0.7),
  step("client", "162", "STPsocket(AF_STP, STREAM, STP) = 65536", 0.8),
  step("client", "170", "send(6, port 49152)", 1),
  step("server", "140", "recv(5) = port 49152", 1.4),
  step("server", "146", "STPconnect(65536, stg0:2:49152)", 2),
  step("client", "172", "STPaccept(65536) = 65537", 2.1),
];

describe("renderLadder", () => {
  test("draws the connection of Fig. 4A", () => {
    expect(renderLadder(STEPS, { columns: 85, paint })).toBe(
      [
        "Fig. 4A  storage connection of a file-system job, set up in parallel",
        "",
        "               server                                          client",
        "                                     ┬        ┬",
        "   0.0 ms  132 socket(AF_INET,       │        │",
        "               STREAM, TCP) = 5      │        │",
        "   0.4 ms  136 connect(5,            ├───────▶┤  158 accept(4) = 6            0.1 ms",
        "               127.0.0.1:7531)       │        │",
        "   0.5 ms  138 send(5, STG stg0)     ├───────▶┤  160 recv(6) = STG stg0       0.7 ms",
        "                                     │        │  162 STPsocket(AF_STP,        0.8 ms",
        "                                     │        │      STREAM, STP) = 65536",
        "   1.4 ms  140 recv(5) = port 49152  ├◀───────┤  170 send(6, port 49152)      1.0 ms",
        "   2.0 ms  146 STPconnect(65536,     ├═══════▶┤  172 STPaccept(65536) =       2.1 ms",
        "               stg0:2:49152)         │        │      65537",
        "",
      ].join("\n"),
    );
  });

  test("says so when nothing was traced", () => {
    expect(renderLadder([], { columns: 110, paint })).toBe("no steps were traced\n");
  });

  test("keeps within the columns and marks skipped steps", () => {
    const long = { ...step("server", "214", "x".repeat(300)), skipped: true };
    for (const columns of [20, 80, 110, 500]) {
      const text = renderLadder([...STEPS, long], { columns, paint });
      expect(text).toContain("(skipped)");
      const width = Math.max(...text.split("\n").map((line) => [...line].length));
      expect(width).toBeLessThanOrEqual(Math.min(160, Math.max(80, columns)));
    }
  });
});

describe("planLadder", () => {
  test("drops a rung that contradicts the order of the steps", () => {
    const crossed = [
      step("server", "136", "connect"),
      step("server", "138", "send"),
      step("client", "160", "recv"),
      step("client", "158", "accept"),
    ];
    expect(planLadder("4A", crossed).map((row) => [row.server?.step, row.client?.step, row.from]))
      .toEqual([
        [undefined, "160", null],
        ["136", "158", "server"],
        ["138", undefined, null],
      ]);
  });

  test("loses no step, keeps each side's order, and rungs are ends of one message", () => {
    const numbers = RUNGS["4A"].flatMap((rung) => [rung.server, rung.client]);
    const anyStep = fc.record({
      side: fc.constantFrom("server" as const, "client" as const),
      number: fc.constantFrom(...numbers, "", "132"),
      skipped: fc.boolean(),
    });
    fc.assert(fc.property(fc.array(anyStep, { maxLength: 30 }), (picked) => {
      const steps = picked.map(({ side, number, skipped }, index) => ({
        ...step(side, number, `call ${index}`),
        skipped,
      }));
      const rows = planLadder("4A", steps);
      for (const side of ["server", "client"] as const) {
        const drawn = rows.flatMap((row) => row[side] === null ? [] : [row[side]]);
        expect(drawn).toEqual(steps.filter((one) => one.side === side));
      }
      for (const { from, server, client } of rows) {
        if (from === null) continue;
        const known = RUNGS["4A"].some((rung) =>
          rung.server === server?.step && rung.client === client?.step
        );
        expect(known).toBe(true);
      }
    }));
  });
});

describe("a job whose network was cut", () => {
  const four = (side: "server" | "client", number: string, call: string): TraceStep => ({
    ...step(side, number, call),
    figure: "4",
  });
  const connection = (first: number): TraceStep[] => [
    four("server", "82", `socket() = ${first}`),
    four("server", "86", `connect(${first})`),
    four("client", "112", "socket() = 3"),
    four("client", "118", `accept(3) = ${first + 10}`),
  ];

  test("shows Fig. 4 once for each time, each with rungs of its own", () => {
    const steps = [...connection(4), ...connection(6)];
    const times = performances("4", steps);
    expect(times.map((one) => one.map(({ step }) => step))).toEqual([
      ["82", "86", "112", "118"],
      ["82", "86", "112", "118"],
    ]);
    const text = renderLadder(steps, { columns: 100, paint });
    expect(text.match(/again after a cut/g)).toHaveLength(1);
    expect(text).toMatch(/connect\(4\) .*▶┤ {2}118 accept\(3\) = 14/);
    expect(text).toMatch(/connect\(6\) .*▶┤ {2}118 accept\(3\) = 16/);
  });
});
