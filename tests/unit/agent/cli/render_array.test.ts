// The text of `agent array status`, as a person reads it.

import { expect, test } from "bun:test";
import { renderArray } from "../../../../agent/cli/render_array.ts";
import { ARRAY } from "../control/fake_storage.ts";

test("renderArray() shows devices, boards, and who did what", () => {
  const text = renderArray(ARRAY);
  expect(text).toContain("missing boards: none\n");
  expect(text).toMatch(/\nv0 +1.00 MiB +4.00 KiB +6 +5 +1\n/);
  expect(text).toMatch(/\n +0 +8 +6 +5 +63% +13 +14 +15 +16 +17 +23 +2.4 ms\n/);
  expect(text).toMatch(/\nv0 +44.0 KiB +48.0 KiB +13 +14 +15 +16 +17 +18 +19 +20 +21\n/);
  expect(text).toMatch(/\nvault01 .* 21 +22 +2.3 ms +77\n/);
  expect(text).toMatch(/\nweb01 .* 2.3 ms +gone\n/);
});

test("renderArray() of an array without power shows no boards, and says which are lost", () => {
  const text = renderArray({ ...ARRAY, missingBoards: [0, 2], boards: [], hosts: [] });
  expect(text).toContain("missing boards: 0, 2: what was not destaged is lost\n");
  expect(text).not.toContain("BOARD");
  expect(text).not.toContain("HOST");
});
