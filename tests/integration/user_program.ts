// A copy of the program that another user may run: the checkout may lie where only its owner goes.

import { chmodSync, copyFileSync, cpSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleCommand } from "./program.ts";

const ROOT = fileURLToPath(import.meta.resolve("../../"));
const SOURCES = ["main.ts", "deno.json", "package.json", "agent", "emulator", "transport"];

/** Packages that no command loads: the runtimes themselves, and what only tests and editors use. */
const UNUSED = ["deno", "bun", "@deno", "@oven", "@types", "bun-types", "fast-check", ".bin"];

/** Copies the program into `folder`. @returns the command that starts it, for any user */
export function copyProgram(folder: string): readonly string[] {
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const binary = process.env["AGENT_BINARY"] ?? "";
  if (binary !== "") return [copyExecutable(binary, join(folder, "agent"))];
  const runtime = copyExecutable(process.execPath, join(folder, basename(process.execPath)));
  const bundle = process.env["AGENT_BUNDLE"] ?? "";
  if (bundle !== "") {
    cpSync(bundle, join(folder, "bundle"), { recursive: true });
    return bundleCommand(runtime, join(folder, "bundle"));
  }
  const modules = join(ROOT, "node_modules");
  const isUsed = (path: string) => !UNUSED.some((name) => path === join(modules, name));
  for (const name of SOURCES) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  cpSync(modules, join(folder, "node_modules"), { recursive: true, filter: isUsed });
  const isBun = process.versions["bun"] !== undefined;
  return isBun
    ? [runtime, join(folder, "main.ts")]
    : [runtime, "run", "--quiet", "--allow-all", "--no-prompt", join(folder, "main.ts")];
}

function copyExecutable(from: string, to: string): string {
  copyFileSync(from, to);
  chmodSync(to, 0o755);
  return to;
}
