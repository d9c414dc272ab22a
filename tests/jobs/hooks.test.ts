// The client's hooks around a backup, as real programs: what they learn, what their failure does,
// and that they end with their job.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "bun:test";
import type { HookConfig } from "../../agent/config/mod.ts";
import { EVERYTHING } from "../../agent/source_selection.ts";
import { VaultReader } from "../../agent/vault/mod.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { JobBed } from "./job_bed.ts";

const BACKUP = "web01-20260101T000000Z-aaaaaa";
const LIMIT_MS = 60_000;
const VARIABLES = "HOOK JOB CLIENT KIND BACKUP DATABASE STATUS";

type Made = Partial<Omit<HookConfig, "command">>;

/** A hook of a shell script, which runs in the bed's folder. */
function hook(bed: { readonly folder: string }, script: string, made: Made = {}): HookConfig {
  const command = ["sh", "-c", `cd "$0"; ${script}`, bed.folder];
  return { command, timeoutMs: 30_000, onFailure: "fail", ...made };
}

interface Scripts {
  readonly pre?: readonly [script: string, made?: Made];
  readonly post?: readonly [script: string, made?: Made];
}

async function open({ pre, post }: Scripts): Promise<JobBed> {
  const hooks: { pre: HookConfig | null; post: HookConfig | null } = { pre: null, post: null };
  const bed = await JobBed.open({ hooks, channel: "network-only" });
  if (pre !== undefined) hooks.pre = hook(bed, ...pre);
  if (post !== undefined) hooks.post = hook(bed, ...post);
  writeFileSync(bed.path("data"), "data");
  return bed;
}

function backUp(bed: JobBed) {
  const paths = [bed.path("data")];
  return bed.run({ type: "backup", backup: BACKUP, paths, ...EVERYTHING, full: true });
}

/** Content bytes of the backups in the vault. */
function published(bed: JobBed): number[] {
  using reader = VaultReader.open({ directory: bed.path("vault"), files: runtime.files });
  return reader.backups().map(({ bytes }) => bytes);
}

const say = (file: string) =>
  `for name in ${VARIABLES}; do eval echo $name=\\$AGENT_$name; done > ${file}`;

function said(bed: JobBed, file: string): string[] {
  return readFileSync(bed.path(file), "utf8").split("\n")
    .filter((line) => /^(HOOK|KIND|BACKUP|CLIENT|STATUS)=/.test(line));
}

const LEARNED = ["CLIENT=web01", "KIND=filesystem", `BACKUP=${BACKUP}`];

describe("hooks", () => {
  test("run before anything is read and after the end, and learn of the backup", async () => {
    await using bed = await open({
      pre: [`printf longer > data; ${say("pre")}`],
      post: [say("post")],
    });
    const [server, client] = await backUp(bed);
    expect([server.error, client.error, client.result?.status]).toEqual([null, null, "ok"]);
    expect(published(bed)).toEqual([6]);
    expect(said(bed, "pre")).toEqual(["HOOK=pre", ...LEARNED, "STATUS=running"]);
    expect(said(bed, "post")).toEqual(["HOOK=post", ...LEARNED, "STATUS=ok"]);
    expect([server.warnings, client.warnings]).toEqual([[], []]);
  }, LIMIT_MS);

  test("publish nothing when `pre` fails, and say what it said", async () => {
    await using bed = await open({
      pre: ["for i in $(seq 3000); do echo noise >&2; done; echo cannot freeze >&2; exit 3"],
      post: [say("post")],
    });
    const [server, client] = await backUp(bed);
    for (const { error } of [server, client]) {
      expect(error?.message).toMatch(/hook "pre" \("sh"\) failed: it ended with 3: [^]*freeze$/);
      expect(error?.message.length).toBeLessThan(3000);
    }
    expect(published(bed)).toEqual([]);
    expect(said(bed, "post").at(-1)).toBe("STATUS=failed");
  }, LIMIT_MS);

  test("warn both sides when that is enough, also of a program that is not there", async () => {
    await using bed = await open({ post: ["exit 4", { onFailure: "warn" }] });
    const missing = { ...hook(bed, "", { onFailure: "warn" }), command: ["/no/such/program"] };
    await using other = await JobBed.open({ hooks: { pre: missing, post: null } });
    writeFileSync(other.path("data"), "data");
    const [server, client] = await backUp(bed);
    expect([server.error, client.result?.status, published(bed)]).toEqual([null, "ok", [4]]);
    expect(client.warnings).toEqual(['hook hook "post" ("sh") failed: it ended with 4']);
    for (const outcome of await backUp(other)) {
      expect([outcome.error, outcome.result?.status]).toEqual([null, "ok"]);
      expect(outcome.warnings.join()).toMatch(/^hook .*no\/such\/program.*ended with 127/);
    }
  }, LIMIT_MS);

  test("leave the job incomplete when `post` fails and must not", async () => {
    await using bed = await open({ post: ["echo no thaw >&2; exit 1"] });
    const [server, client] = await backUp(bed);
    expect([server.result?.status, client.result?.status]).toEqual(["ok", "incomplete"]);
    expect(client.warnings.join()).toContain("no thaw");
    expect(published(bed)).toEqual([4]);
  }, LIMIT_MS);

  test("end when their time is over, with what they started", async () => {
    await using bed = await open({
      pre: ["trap '' TERM; sleep 1000 & echo $! > child; wait", { timeoutMs: 500 }],
    });
    const [server] = await backUp(bed);
    expect(server.error?.message).toContain("it took longer than 0.5 s");
    expectGone(bed);
  }, LIMIT_MS);

  test("end with what they started when that does not heed the word to end", async () => {
    const deaf = `sh -c 'trap "" TERM; echo $$ > child; exec sleep 1000' & wait`;
    await using bed = await open({ pre: [deaf, { timeoutMs: 500 }] });
    const [server] = await backUp(bed);
    expect(server.error?.message).toContain("it took longer than 0.5 s");
    expectGone(bed);
  }, LIMIT_MS);

  for (const side of ["server", "client"] as const) {
    test(`end when the job is cancelled on the ${side}; then comes \`post\``, async () => {
      await using bed = await open({
        pre: ["sleep 1000 & echo $! > child; echo > started; wait"],
        post: [say("post")],
      });
      execFileSync("mkfifo", [bed.path("started")]);
      const ended = backUp(bed);
      await readFile(bed.path("started")); // Until the hook writes into it.
      bed.cancel(side);
      const [server, client] = await ended;
      expect([server.result, client.result]).toEqual([null, null]);
      expect(published(bed)).toEqual([]);
      expectGone(bed);
      // A client that is slow to hear of the server's end learns no reason.
      const statuses = side === "client" ? ["cancelled"] : ["cancelled", "failed"];
      expect(statuses.map((status) => `STATUS=${status}`)).toContain(
        said(bed, "post").at(-1) ?? "",
      );
    }, LIMIT_MS);
  }
});

/** The program that the hook started does not run any more. */
function expectGone(bed: JobBed): void {
  const stat = `/proc/${readFileSync(bed.path("child"), "utf8").trim()}/stat`;
  const state = existsSync(stat) ? readFileSync(stat, "utf8").replace(/^.*\) /, "")[0] : "gone";
  expect(["gone", "Z", "X"]).toContain(state ?? "gone"); // Nobody may have asked for its end yet.
}
