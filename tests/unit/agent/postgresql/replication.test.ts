// What is made of a server's settings.

import { expect, test } from "bun:test";
import { archivesLogHere } from "../../../../agent/postgresql/replication.ts";

test("archivesLogHere() is true for our own command on who archives", () => {
  const command = "nice agent wal push %p --database pg";
  const said = (mode: string, inStandby: string) => archivesLogHere({ mode, inStandby, command });
  expect([said("on", "off"), said("always", "off"), said("always", "on")])
    .toEqual([true, true, true]);
  expect([said("off", "off"), said("on", "on"), said("off", "on")]).toEqual([false, false, false]);
  const other = { mode: "on", inStandby: "off" };
  expect(archivesLogHere({ ...other, command: "cp %p /archive/%f" })).toBe(false);
  expect(archivesLogHere({ ...other, command: "" })).toBe(false);
});
