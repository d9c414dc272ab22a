// Reads the files that the structure check looks at: TypeScript, papers, settings and scripts.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tree, TreeFile } from "./finding.ts";
import { readSourceText } from "./source_text.ts";

const IGNORED = new Set(["node_modules", "dist", ".git", ".cache", "golden"]);
const TEXT = /(?:\.(?:ts|md|json|ya?ml|html|css|service|sh)|^[^.]+|^\.npmrc)$/;

function* walk(root: string, folder: string): Generator<string> {
  for (const item of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (IGNORED.has(item.name)) continue;
    const path = folder === "" ? item.name : `${folder}/${item.name}`;
    if (item.isDirectory()) yield* walk(root, path);
    else if (item.isFile() && TEXT.test(item.name)) yield path;
  }
}

function readFile(root: string, path: string): TreeFile {
  const raw = readFileSync(join(root, path), "utf8");
  return { path, raw, source: path.endsWith(".ts") ? readSourceText(raw) : null };
}

function readPackages(files: readonly TreeFile[]): Tree["packages"] {
  const file = files.find(({ path }) => path === "package.json");
  if (file === undefined) return null;
  const parsed: { dependencies?: Record<string, string> } = JSON.parse(file.raw);
  return { dependencies: new Set(Object.keys(parsed.dependencies ?? {})) };
}

/** Reads the tree below `root`; built, installed and golden files are left out. */
export function readTree(root: string): Tree {
  const files = [...walk(root, "")].sort().map((path) => readFile(root, path));
  return { files, packages: readPackages(files) };
}
