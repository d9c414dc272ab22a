// What a step of the gate left: its own arrays and devices are seen, those of others are not.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canOwnMemory, LeftoverWatch } from "../../../scripts/gate/leftovers.ts";
import { SharedLun } from "../../../scripts/demonstration/two_hosts/shared_lun.ts";
import { whyNoLoop } from "../transport/raw/loop_device.ts";

const folder = mkdtempSync(join(tmpdir(), "leftovers-"));
const list = join(folder, "list");
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Runs a line of shell as a step. @returns its exit code */
function runStep(watch: LeftoverWatch, line: string): number | null {
  const [program = "", ...args] = watch.wrap(["sh", "-c", line]);
  return spawnSync(program, args, { env: { ...process.env, ...watch.env } }).status;
}

describe("LeftoverWatch", () => {
  test("left() names the memory of an array that the step made", async () => {
    const array = `/dev/shm/agent-array-${process.pid}-own`;
    const watch = new LeftoverWatch(list, "mark-own");
    expect(runStep(watch, `mkdir ${array}; exit 3`)).toBe(3);
    expect(await watch.left()).toEqual([array]);
    rmSync(array, { recursive: true, force: true }); // Where it was not the step's own memory.
  });

  test("left() is empty when the step removed what it made", async () => {
    const watch = new LeftoverWatch(list, "mark-clean");
    const array = `/dev/shm/agent-array-${process.pid}-clean`;
    expect(runStep(watch, `mkdir ${array} && rmdir ${array}`)).toBe(0);
    expect(await watch.left()).toEqual([]);
  });

  (canOwnMemory ? test : test.skip)("left() leaves out arrays of others", async () => {
    const array = `/dev/shm/agent-array-${process.pid}-other`;
    const watch = new LeftoverWatch(list, "mark-other");
    try {
      expect(spawnSync("mkdir", [array]).status).toBe(0);
      expect(runStep(watch, "true")).toBe(0);
      expect(await watch.left()).toEqual([]);
    } finally {
      rmSync(array, { recursive: true, force: true });
    }
  });

  (whyNoLoop === null ? test : test.skip)("left() names a LUN by its mark alone", async () => {
    const before = process.env["LUN_MARK"];
    const [ours, others] = [`ours-${process.pid}`, `others-${process.pid}`];
    process.env["LUN_MARK"] = ours;
    try {
      using lun = await SharedLun.make(1024 * 1024);
      expect(await new LeftoverWatch(list, ours).left()).toEqual([lun.path]);
      expect(await new LeftoverWatch(list, others).left()).toEqual([]);
    } finally {
      if (before === undefined) delete process.env["LUN_MARK"];
      else process.env["LUN_MARK"] = before;
    }
  });
});
