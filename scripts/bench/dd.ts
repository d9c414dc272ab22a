// What a device gives to plain tools: one dd reads its upper half while another writes its lower
// half, both directly, pass after pass.
//
// Only passes that ended while the other dd still ran count. A stream reads and writes each byte
// once, so what it is compared with is the mean of the two rates.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CHUNK_BYTES, DD_PASSES, DEVICE_BYTES } from "./limits.ts";
import type { Figures } from "./peer_task.ts";

const run = promisify(execFile);

export async function runDd(device: string): Promise<Figures> {
  const blocks = DEVICE_BYTES / 2 / CHUNK_BYTES;
  const common = [`bs=${CHUNK_BYTES}`, `count=${blocks}`];
  const sides = [
    [`if=${device}`, "of=/dev/null", "iflag=direct", `skip=${blocks}`, ...common],
    ["if=/dev/zero", `of=${device}`, "oflag=direct", "conv=notrunc", ...common],
  ];
  const rates: number[][] = [[], []];
  let over = false;
  await Promise.all(sides.map(async (args, side) => {
    while (!over) {
      const rate = await onePass(args);
      if (!over) rates[side]?.push(rate);
      over ||= rates.every((passes) => passes.length >= DD_PASSES);
    }
  }));
  const means = rates.map((passes) => passes.reduce((sum, one) => sum + one, 0) / passes.length);
  return { bytesPerSecond: means.reduce((sum, one) => sum + one, 0) / means.length };
}

/** @returns bytes per second, by dd's own word */
async function onePass(args: readonly string[]): Promise<number> {
  const { stderr } = await run("dd", args, { env: { ...process.env, LC_ALL: "C" } });
  const match = /(\d+) bytes .* copied, ([\d.]+) s/.exec(stderr);
  if (match === null) throw new Error(`dd printed ${stderr}`);
  return Number(match[1]) / Number(match[2]);
}
