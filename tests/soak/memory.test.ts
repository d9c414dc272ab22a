// Resident memory of both processes during large backups and their restores, by the kernel's own
// peak (VmHWM). Takes minutes and gigabytes: `scripts/soak memory` runs it, the gate does not.

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { Bed } from "../integration/bed.ts";

const TIMEOUT_MS = 900_000;

/** MiB that neither process may exceed in backups and restores. */
const RESIDENT_MIB_MAX = 300;

/** MiB for a verification, which reads without a pause: its garbage is collected later. */
const VERIFY_MIB_MAX = 400;

/** Each makes the tree `$1`. */
const TREES = {
  "one file of 4 GiB": 'mkdir "$1" && head -c 4294967296 /dev/urandom > "$1/large"',
  "200,000 small files":
    'mkdir "$1" && cd "$1" && head -c 40000000 /dev/urandom | split -b 200 -a 5 - f',
} as const;

function peakMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? "NaN") / 1024;
}

describe("resident memory", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  for (const [what, script] of Object.entries(TREES)) {
    test(`stays below ${RESIDENT_MIB_MAX} MiB for ${what}`, async () => {
      bed = await Bed.make();
      await needTool(["sh", "-c", script, "sh", bed.path("tree")]);
      await Promise.all([bed.start("server"), bed.start("client")]);
      const { pid: server } = bed.daemon("server");
      const { pid: client } = bed.daemon("client");
      const show = (when: string): void => {
        const peaks = [server, client].map((pid) => peakMib(pid).toFixed(0));
        process.stdout.write(`${what}, ${when}: server ${peaks[0]} MiB, client ${peaks[1]} MiB\n`);
      };
      show("idle");
      const paths = ["--client", "web01", bed.path("tree")];
      const { backup, seconds } = await bed.job("server", "backup", "filesystem", ...paths);
      show(`after the backup of ${seconds} s`);
      const target = ["--target", bed.path("restored")];
      const restored = await bed.job("server", "restore", backup ?? "", ...target);
      show(`after the restore of ${restored.seconds} s`);
      for (const pid of [server, client]) expect(peakMib(pid)).toBeLessThan(RESIDENT_MIB_MAX);
      await bed.job("server", "verify", "--data");
      show("after the verification");
      expect(peakMib(server)).toBeLessThan(VERIFY_MIB_MAX);
    }, TIMEOUT_MS);
  }
});
