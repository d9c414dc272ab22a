// `agent array fault`: what it hands on, prints and refuses. What faults do is tested with the array.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CliBed } from "./cli_bed.ts";

let bed: CliBed;
beforeEach(async () => {
  bed = await CliBed.open();
});
afterEach(() => bed.close());

describe("agent array fault", () => {
  test("add hands on the options that were given, and names the rule", async () => {
    const options = "--device v0 --tracks 0-9 --on write --host web01 --probability 0.5 --count 3";
    const more = "--latency exp:2ms --seed 7 --board 1";
    const line = `array fault /a add lost ${options} ${more}`;
    expect(await bed.run(...line.split(" "))).toMatchObject({ code: 0, stdout: "rule 3\n" });
    expect(bed.offlineCalls).toEqual([["/a", {
      kind: "lost",
      device: "v0",
      tracks: "0-9",
      on: "write",
      host: "web01",
      probability: "0.5",
      count: "3",
      latency: "exp:2ms",
      seed: "7",
      board: "1",
    }]]);
    const { stdout } = await bed.run("array", "fault", "/a", "add", "torn", "--json");
    expect(JSON.parse(stdout)).toEqual({ type: "fault", id: 3, kind: "torn", fired: 0 });
  });

  test("list, clear and apply print text and JSON of the same", async () => {
    const list = await bed.run("array", "fault", "/a", "list");
    expect(list.stdout).toMatch(/^ID +KIND +ON .*FIRED\n +3 +lost +write +- .*9\n$/);
    const json = await bed.run("array", "fault", "/a", "list", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ id: 3, kind: "lost", fired: 9 });
    expect((await bed.run("array", "fault", "/a", "clear", "3")).stdout).toBe("2 cleared\n");
    expect((await bed.run("array", "fault", "/a", "clear")).stdout).toBe("2 cleared\n");
    expect((await bed.run("array", "fault", "/a", "apply")).stdout).toBe("1 in force\n");
    expect(bed.offlineCalls).toEqual(["/a", "/a", ["/a", 3], ["/a", null], "/a"]);
  });

  const REFUSED = [
    ["/a explode", "need add, list, clear or apply"],
    ["/a add", "found no KIND"],
    ["/a list 3", 'one more argument "3"'],
    ["/a clear lost", "the number of a rule"],
    ["/a clear 0", "the number of a rule"],
    ["/a clear --device v0", "found action clear, need action add"],
    ["/a add lost --devise v0", 'Did you mean "--device"?'],
  ] as const;
  for (const [line, text] of REFUSED) {
    test(`refuses: ${line}`, async () => {
      const { code, stderr } = await bed.run("array", "fault", ...line.split(" "));
      expect(code).toBe(2);
      expect(stderr).toContain(text);
      expect(bed.offlineCalls).toEqual([]);
    });
  }
});
