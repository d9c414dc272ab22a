// Runs a program to its end and gives what it printed: the demo's one way to call other programs.
//
// Output is collected as bytes, since names of files need not be UTF-8.

import { spawn } from "node:child_process";

export interface ToolOptions {
  readonly cwd?: string | undefined;
  /** Standard output goes to our own instead of the result. */
  readonly show?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ToolResult {
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Runs `command`; a program that cannot be started has the code 127, one that was killed 255. */
export function runTool(
  command: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const [program = "", ...args] = command;
  return new Promise((resolve) => {
    const out: Uint8Array[] = [];
    const err: Uint8Array[] = [];
    const child = spawn(program, args, {
      cwd: options.cwd,
      stdio: ["ignore", options.show ? "inherit" : "pipe", options.show ? "inherit" : "pipe"],
    });
    const stop = (): void => {
      child.kill("SIGTERM");
    };
    options.signal?.addEventListener("abort", stop, { once: true });
    child.stdout?.on("data", (part: Uint8Array) => out.push(part));
    child.stderr?.on("data", (part: Uint8Array) => err.push(part));
    const finish = (code: number): void => {
      options.signal?.removeEventListener("abort", stop);
      resolve({ code, stdout: joined(out), stderr: new TextDecoder().decode(joined(err)) });
    };
    child.on("error", () => finish(127));
    child.on("close", (code) => finish(code ?? 255));
  });
}

/** The same for programs that must succeed. @throws Error with what the program said */
export async function needTool(
  command: readonly string[],
  options: ToolOptions = {},
): Promise<Uint8Array> {
  const { code, stdout, stderr } = await runTool(command, options);
  if (code !== 0) {
    throw new Error(`${command.join(" ")} ended with ${code}: ${stderr.trim() || "no message"}`);
  }
  return stdout;
}
