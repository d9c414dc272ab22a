// Processes that are stopped for longer than the dead time, and go on: the others notice by the
// heartbeat, what was stopped finds by itself that its time is over, and nothing is damaged.
//
// A process that is stopped while it holds the lock of a memory board of the emulated array takes
// the array away from everybody (`board_busy`), which is another failure than the one tried here:
// the stop is put off until no lock is held.

import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { JobView } from "../../agent/control/daemon.ts";
import type { StgView } from "../../agent/control/stg_view.ts";
import { freePorts } from "../../scripts/demonstration/free_ports.ts";
import { Bed } from "./bed.ts";
import { clientYaml } from "./bed_config.ts";
import { callControl } from "./control_call.ts";
import { pause, until } from "./deadline.ts";
import { makeRandomFiles } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;
const MIB = 1024 * 1024;
/** Of the bed's configuration, in ms. */
const DEAD_MS = 2500;
/** Milliseconds until a job whose peer stands still has ended: crash.test.ts says of what. */
const NOTICE_MS = DEAD_MS + 9500;
/** Milliseconds until a group is up again: pauses between tries, and the outwaiting of its own id. */
const REJOIN_MS = 20_000;
const FILES = { count: 12, bytes: 16 * MIB };
const ENDED = ["ok", "incomplete", "failed", "cancelled"];

describe("a process that is stopped for longer than the dead time", () => {
  let bed: Bed | null = null;

  afterEach(async () => {
    await bed?.[Symbol.asyncDispose]();
    bed = null;
  });

  async function start(): Promise<Bed> {
    bed = await Bed.started({ channel: "storage-only" });
    await makeRandomFiles(bed.path("data"), FILES);
    return bed;
  }

  async function begin(bed: Bed): Promise<void> {
    const paths = [bed.path("data")];
    const body = { kind: "backup-filesystem", client: "web01", paths, full: true, exclude: [] };
    const { status } = await callControl(bed.socket("server"), "/v1/jobs", {
      method: "POST",
      body,
    });
    expect(status).toBeLessThan(300);
    await bed.moving("server", MIB);
  }

  /** Every job has ended. @returns the last one */
  function quiet(bed: Bed, side: string): Promise<JobView | undefined> {
    return until(NOTICE_MS, `the end of the jobs of ${side}`, async () => {
      const jobs = await bed.jobs(side);
      return jobs.every(({ state }) => ENDED.includes(state)) ? { last: jobs.at(-1) } : null;
    }).then(({ last }) => last);
  }

  async function expectSound(bed: Bed): Promise<void> {
    const backup = await bed.job(
      "server",
      ...["backup", "filesystem", "--full", "--client", "web01", bed.path("data")],
    );
    expect(backup).toMatchObject({ status: "ok", fallback: null });
    const verified = await bed.json("server", "verify", "--data");
    expect(`${verified.code}${verified.stderr}`).toBe("0");
    const checked = await bed.run(["array", "check", bed.path("array")]);
    expect(`${checked.stdout}${checked.stderr}`).toBe("sound\n");
  }

  for (const [stopped, survivor] of [["client", "server"], ["server", "client"]] as const) {
    test(`the ${stopped}, in mid-job: the job fails, and later ones work`, async () => {
      const bed = await start();
      const before = await generation(bed, stopped);
      await begin(bed);
      await stopBetweenLocks(bed, stopped);
      const failed = await quiet(bed, survivor);
      expect(failed?.state).toBe("failed");
      expect(failed?.error?.message).toMatch(/gave no sign of life for 2500 ms|lost|ended/);
      expect((await stg(bed, survivor)).reason).toBe(null);
      bed.daemon(stopped).kill("SIGCONT");
      await untilUp(bed, stopped, before);
      expect((await quiet(bed, stopped))?.state).toBe("failed");
      await expectSound(bed);
    }, TIMEOUT_MS);
  }

  test(
    "stands down when another process took its id meanwhile, and comes back after it",
    async () => {
      const bed = await start();
      const before = await generation(bed, "client");
      await stopBetweenLocks(bed, "client");
      const ports = { ...bed.ports, client: await freePorts(2) };
      const yaml = clientYaml(ports).replace("name: web01", "name: web02");
      bed.write("thief.yaml", yaml.replace("unix:client.sock", "unix:thief.sock"));
      await bed.start("thief"); // It outwaits the dead time of the one that is stopped.
      const taken = await generation(bed, "thief");
      expect(taken).toBe(before + 1);
      bed.daemon("client").kill("SIGCONT");
      await until(REJOIN_MS, "the client to name the holder", async () => {
        const { state, reason } = await stg(bed, "client");
        return state === "down" && reason?.includes(`"web02"`) ? true : null;
      });
      await pause(DEAD_MS);
      expect((await stg(bed, "thief")).reason).toBe(null);
      expect(await generation(bed, "thief")).toBe(taken);
      const seen = (await stg(bed, "server")).hosts.find(({ host }) => host === 2);
      expect(seen).toMatchObject({ name: "web02", live: true });
      await bed.stop("thief");
      await untilUp(bed, "client", taken);
      await expectSound(bed);
    },
    TIMEOUT_MS,
  );
});

describe("both processes killed in mid-job", () => {
  test("start again at once and work, with no manual step", async () => {
    await using bed = await Bed.started();
    await makeRandomFiles(bed.path("data"), FILES);
    const backup = ["backup", "filesystem", "--client", "web01", bed.path("data")];
    const running = bed.run([...backup, "--json"], "server");
    await bed.moving("server", MIB);
    await Promise.all([bed.stop("server", "SIGKILL"), bed.stop("client", "SIGKILL")]);
    expect((await running).code).not.toBe(0);
    const left = await status(bed);
    expect(left.hosts.map(({ live }) => live)).toEqual([false, false]);
    expect(left.hosts.every(({ attached }) => attached)).toBe(true);
    await Promise.all([bed.start("server"), bed.start("client")]);
    expect(await bed.job("server", ...backup)).toMatchObject({ status: "ok", fallback: null });
    const now = await status(bed);
    expect(now.hosts.map(({ host, live, volumes }) => [host, live, volumes])).toEqual([
      [1, true, ["v0", "v1"]],
      [2, true, ["v0", "v1"]],
    ]);
    for (const host of now.hosts) {
      const { generation } = left.hosts.find((one) => one.host === host.host) ?? host;
      expect(host.generation).toBe(generation + 1);
    }
    const text = await bed.run(["stg", "status", "stg0", "--config", bed.path("server.yaml")]);
    expect(text.stdout).toMatch(/1 +vault01 +\d+ +yes +\d+ ms +v0, v1/);
  }, TIMEOUT_MS);

  async function status(bed: Bed): Promise<StgView> {
    const command = ["stg", "status", "stg0", "--config", bed.path("server.yaml"), "--json"];
    return JSON.parse((await bed.expectOk(...command)).stdout);
  }
});

async function stg(bed: Bed, side: string): Promise<StgView> {
  const [view] = await bed.get<StgView[]>(side, "/v1/stgs");
  if (view === undefined) throw new Error(`${side} has a group`);
  return view;
}

/** Of a daemon's own claim, once it saw it. */
function generation(bed: Bed, side: string): Promise<number> {
  return until(REJOIN_MS, `${side} to see itself`, async () => {
    const { host, hosts } = await stg(bed, side);
    return hosts.find((one) => one.host === host)?.generation ?? null;
  });
}

/** The group is up with a later generation than `before`. */
function untilUp(bed: Bed, side: string, before: number): Promise<true> {
  return until(REJOIN_MS, `the group of ${side} to be up again`, async () => {
    const view = await stg(bed, side);
    const own = view.hosts.find(({ host }) => host === view.host);
    return view.state === "up" && (own?.generation ?? 0) > before ? true : null;
  });
}

/** Stops a daemon at a moment at which it holds no board of the array. */
async function stopBetweenLocks(bed: Bed, side: string): Promise<void> {
  const { memory } = JSON.parse(readFileSync(bed.path("array", "array.json"), "utf8"));
  // Beside the boards lie the rows of attached hosts, which are locked all the time.
  const boards = readdirSync(memory).filter((name) => name.startsWith("board"))
    .map((name) => statSync(`${memory}/${name}`).ino);
  const daemon = bed.daemon(side);
  for (let attempt = 0; attempt < 200; attempt++) {
    daemon.kill("SIGSTOP");
    await until(2000, "the stop", () => Promise.resolve(isStopped(daemon.pid) ? true : null));
    if (!holdsOne(daemon.pid, boards)) return;
    daemon.kill("SIGCONT");
    await pause(1);
  }
  throw new Error(`${side} held a board at every moment`);
}

/** All threads stand still: one that is in the kernel does so only when it comes back. */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(") ") + 2).startsWith("T");
  });
}

/** True when the process has one of the files locked for itself. */
function holdsOne(pid: number, inodes: readonly number[]): boolean {
  return readFileSync("/proc/locks", "utf8").split("\n").some((line) => {
    const [_, kind, __, access, holder, file] = line.trim().split(/\s+/);
    const inode = Number(file?.split(":")[2]);
    return kind === "FLOCK" && access === "WRITE" && Number(holder) === pid &&
      inodes.includes(inode);
  });
}
