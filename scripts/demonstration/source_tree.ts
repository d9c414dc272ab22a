// Chooses the directory that the demo backs up when none was named: a real tree of this machine
// that is large enough to mean something.

import { existsSync } from "node:fs";
import { needTool } from "./run_tool.ts";

const FILES_MIN = 5000;
const BYTES_MIN = 100_000_000;

/** Above this the demo takes longer than anybody watches: a larger tree must be named. */
const BYTES_MAX = 3_000_000_000;

async function measure(path: string): Promise<{ files: number; bytes: number }> {
  const output = await needTool(["find", path, "-xdev", "-type", "f", "-printf", "%s\\n"]);
  const sizes = new TextDecoder().decode(output).trimEnd().split("\n");
  return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + Number(size), 0) };
}

/** The first tree that is large enough. @throws Error when there is none */
export async function chooseSource(root: string): Promise<string> {
  for (const path of [`${root}/node_modules`, "/usr/share", "/usr/lib", "/usr"]) {
    if (!existsSync(path)) continue;
    const { files, bytes } = await measure(path);
    if (files >= FILES_MIN && bytes >= BYTES_MIN && bytes <= BYTES_MAX) return path;
  }
  throw new Error(
    `Cannot find a tree of ${FILES_MIN} files and ${BYTES_MIN / 1e6} MB; name a directory`,
  );
}
