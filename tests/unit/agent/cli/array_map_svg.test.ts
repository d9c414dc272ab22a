// The picture of the cache index: cells where they belong, both themes, text that cannot break out.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { renderArrayMap } from "../../../../agent/cli/array_map_svg.ts";
import { MAP } from "../control/fake_storage.ts";
import { CliBed } from "./cli_bed.ts";

test("renderArrayMap() puts each bin into its cell, as deep as its share", () => {
  const picture = renderArrayMap("a", [MAP]);
  expect(picture).toContain('<rect class="cache" x="16" y="60" width="12" height="12"/>');
  expect(picture).toContain('<rect class="pending" x="16" y="66" width="12" height="6"/>');
  // Bin 65 is the second cell of the second row.
  expect(picture).toContain(
    '<rect class="cache" x="30" y="74" width="12" height="12" fill-opacity="0.20"/>',
  );
  expect(picture).toContain('<rect class="damaged" x="898" y="270" width="12" height="12"/>');
  expect(picture).toContain("v0, cylinders 1047552 to 1048575: 0 of 16384 tracks in cache");
  expect(picture).toContain("(prefers-color-scheme: dark)");
  expect(picture.length).toBeLessThan(8192);
});

test("renderArrayMap() cuts the last row where the device ends", () => {
  const small = { ...MAP, cylinders: 66, cylindersPerBin: 1, bins: [] };
  const rows = [...renderArrayMap("a", [small]).matchAll(/class="none".* width="(\d+)"/g)];
  expect(rows.map(([, width]) => width)).toEqual(["894", "26"]);
});

test("renderArrayMap() takes any text as text", () => {
  const picture = renderArrayMap('a"</svg><script>&\u0007', []);
  expect(picture).not.toContain("<script>");
  expect(picture.match(/<\/svg>/g)).toHaveLength(1);
  expect(picture).not.toContain("\u0007");
});

test("array status --map writes the picture, and its data with --json", async () => {
  const bed = await CliBed.open();
  try {
    const ran = await bed.run("array", "status", "/a", "--map", "cache.svg", "--json");
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ directory: "/a", map: [MAP] });
    expect(readFileSync(join(bed.directory, "cache.svg"), "utf8")).toContain("<svg ");
    const failed = await bed.run("array", "status", "/a", "--map", "none/cache.svg");
    expect([failed.code, failed.stderr.includes("Cannot write picture")]).toEqual([1, true]);
    expect(existsSync(join(bed.directory, "none"))).toBe(false);
  } finally {
    await bed.close();
  }
});
