// A shared device that is taken away while real daemons use it: file jobs go on over the network
// and say why, wherever people and programs look; a database job ends soon and clearly.

import { afterEach, describe, expect, test } from "bun:test";
import type { JobView } from "../../agent/control/daemon.ts";
import { freePorts } from "../../scripts/demonstration/free_ports.ts";
import { Ledger } from "../../scripts/demonstration/ledger.ts";
import { SharedLun } from "../../scripts/demonstration/two_hosts/shared_lun.ts";
import { FALLBACK_CODES } from "../../transport/flow/mod.ts";
import { whyNoLoop } from "../unit/transport/raw/loop_device.ts";
import { Bed } from "./bed.ts";
import { clientYaml, type ConfigOptions, serverYaml, STG_TIMES, stgLine } from "./bed_config.ts";
import { callControl } from "./control_call.ts";
import { within } from "./deadline.ts";
import { differences, makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;
const LUN_BYTES = 128 * MIB;
/** Long enough that a test can act in the middle, which is where, in bytes of progress. */
const FILES = { count: 12, bytes: 16 * MIB };
const MIDDLE_BYTES = 16 * MIB;
/** Milliseconds in which a database job must end: the dead time and a little work. */
const END_MS = 2500 + 5000;

const title = "a shared device that is taken away in mid-job";
const describeLoss = whyNoLoop === null ? describe : describe.skip;
const titleOf = (jobs: string) =>
  whyNoLoop === null ? `${title}: ${jobs}` : `${title}: ${jobs} (${whyNoLoop})`;

let bed: Bed | null = null;
let lun: SharedLun | null = null;

async function start(options: ConfigOptions = {}): Promise<[Bed, SharedLun]> {
  const device = lun = await SharedLun.make(LUN_BYTES);
  const made = bed = Bed.empty();
  made.ports = { server: await freePorts(2), client: await freePorts(2) };
  const line = (host: number) =>
    `{ name: stg0, host: ${host}, volumes: [${device.path}], ${STG_TIMES} }`;
  made.write("server.yaml", serverYaml(made.ports, options).replace(stgLine(1), line(1)));
  made.write("client.yaml", clientYaml(made.ports, options).replace(stgLine(2), line(2)));
  await made.expectOk("stg", "format", "stg0", "--config", made.path("server.yaml"));
  await Promise.all([made.start("server"), made.start("client")]);
  return [made, device];
}

afterEach(async () => {
  await bed?.[Symbol.asyncDispose]();
  lun?.[Symbol.dispose]();
  bed = null;
  lun = null;
});

describeLoss(titleOf("a file backup"), () => {
  test(
    "a file backup goes on over the network; summary, catalog, metrics, log say why",
    async () => {
      const [bed, lun] = await start();
      const tree = bed.path("tree");
      await makeRandomFiles(tree, FILES);
      const running = bed.job("server", "backup", "filesystem", "--client", "web01", tree);
      running.catch(() => {}); // Taken below.
      const { job } = await bed.moving("server", MIDDLE_BYTES);
      lun.takeAway();
      const summary = await running;
      const { fallback, channels, backup } = summary;
      expect(summary).toMatchObject({ status: "ok", bytes: FILES.count * FILES.bytes });
      expect(FALLBACK_CODES.includes(fallback ?? "stg_mismatch")).toBe(true);
      expect(channels.storage.bytes).toBeGreaterThan(MIDDLE_BYTES / 2);
      expect(channels.network.bytes).toBeGreaterThan(MIDDLE_BYTES);
      const shown = (await bed.json("server", "show", backup ?? "")).lines[0];
      expect(shown?.["fallback"]).toBe(fallback);
      const { body } = await callControl(bed.socket("server"), "/metrics");
      expect(body).toContain(`agent_fallbacks_total{reason="${fallback}"} 1`);
      expect(bed.daemon("server").stderr).toContain(`job "${job}" falls back`);
      const { events } = { events: await bed.json("server", "job", job, "--follow") };
      expect(events.stderr).toContain('"code":"fallback"');
      const ofClient: JobView[] = await bed.endedJobs("client");
      expect(ofClient.map((one) => one.summary?.fallback)).toEqual([fallback]);
      await bed.job("server", "verify", "--data");
      await bed.job("server", "restore", "latest", "--target", bed.path("restored"));
      expect(await differences(tree, bed.path("restored") + tree)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

describeLoss(titleOf("other file jobs"), () => {
  test("a restore goes on over the network", async () => {
    const [bed, lun] = await start();
    const tree = bed.path("tree");
    await makeRandomFiles(tree, FILES);
    const made = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    expect(made.fallback).toBe(null);
    const target = bed.path("restored");
    const running = bed.job("server", "restore", "latest", "--target", target);
    running.catch(() => {}); // Taken below.
    await bed.moving("server");
    lun.takeAway();
    const summary = await running;
    expect(summary.fallback).not.toBe(null);
    expect(summary.channels.network.bytes).toBeGreaterThan(MIDDLE_BYTES);
    expect(await differences(tree, target + tree)).toEqual([]);
  }, TIMEOUT_MS);

  test("storage-only fails with the reason and publishes nothing: exit 1", async () => {
    const [bed, lun] = await start({ channel: "storage-only" });
    await makeRandomFiles(bed.path("tree"), FILES);
    const args = ["backup", "filesystem", "--client", "web01", bed.path("tree")];
    const running = bed.json("server", ...args);
    await bed.moving("server", MIDDLE_BYTES);
    lun.takeAway();
    const { code, error, summary } = await running;
    expect(code).toBe(1);
    expect(error?.message).toContain("Cannot use the storage channel");
    expect(summary?.fallback).toBe(null);
    expect((await bed.json("server", "backups")).lines).toEqual([]);
  }, TIMEOUT_MS);
});

describeLoss(titleOf("a database job"), () => {
  test(
    "a database backup fails within the dead time, and the next one uses the network",
    async () => {
      const [bed, lun] = await start();
      Ledger.create(bed.path("app.db"), 200 * MIB)[Symbol.dispose]();
      const running = bed.json("client", "backup", "database", "app");
      await bed.moving("client", MIDDLE_BYTES);
      lun.takeAway();
      const { code, error } = await within(END_MS, "the end of the job", running);
      expect(code).toBe(1);
      expect(error?.message).toContain("stg0");
      expect((await bed.json("server", "backups")).lines).toEqual([]);
      const again = await bed.job("client", "backup", "database", "app");
      expect(again.status).toBe("ok");
      expect(again.fallback).not.toBe(null);
      expect(again.channels.storage.bytes < MIB).toBe(true);
    },
    TIMEOUT_MS,
  );
});
