// The control app as a value: every route of the contract, its errors, access over TCP.

import { describe, expect, test } from "bun:test";
import { z } from "zod";
import type { Audit } from "../../../../agent/audit_log.ts";
import { type ControlAppOptions, createWalApp } from "../../../../agent/control/mod.ts";
import { decompressFrame } from "../../../../agent/media/mod.ts";
import { statusViewSchema } from "../../../../agent/control/status_schema.ts";
import { arrayViewSchema, scheduleViewSchema } from "../../../../agent/control/view_schema.ts";
import { BACKUP, FakeDaemon, progressOf, summaryOf } from "./fake_daemon.ts";
import { DocumentedApp, routesOf } from "./documented_app.ts";
import { ARRAY } from "./fake_storage.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { SCHEDULE } from "./fake_schedules.ts";

const never = new Promise<void>(() => {});
const clock = { sleep: () => never };

function bed(options: Partial<ControlAppOptions> = {}, daemon = new FakeDaemon()) {
  return { daemon, app: new DocumentedApp(daemon, { clock, access: null, ...options }) };
}

function post(body: unknown) {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

const GOOD = { kind: "backup-filesystem", client: "web01", paths: ["/srv"] };

describe("createControlApp", () => {
  test("GET /healthz and /readyz answer, and 503 with reasons when not ready", async () => {
    const { app, daemon } = bed();
    expect((await app.request("/healthz")).status).toBe(200);
    expect((await app.request("/readyz")).status).toBe(200);
    daemon.ready = false;
    const answer = await app.request("/readyz");
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ ready: false, reasons: ["catalog damaged"] });
    expect((await app.request("/healthz")).status).toBe(200);
  });

  test("POST /v1/jobs fills defaults, answers 202 and the job's place", async () => {
    const { app, daemon } = bed();
    const answer = await app.request("/v1/jobs", post(GOOD));
    expect(answer.status).toBe(202);
    expect(answer.headers.get("location")).toBe("/v1/jobs/j1");
    expect(daemon.requests).toEqual([
      { kind: "backup-filesystem", client: "web01", paths: ["/srv"], full: false, ...EVERYTHING },
    ]);
  });

  const bad: readonly (readonly [string, unknown, number, string])[] = [
    ["no JSON", "{", 400, "usage"],
    ["unknown kind", { kind: "erase" }, 400, "usage"],
    ["unknown key", { ...GOOD, fulll: true }, 400, "usage"],
    ["no paths", { ...GOOD, paths: [] }, 400, "usage"],
    ["unknown client", { ...GOOD, client: "nobody" }, 404, "not_found"],
    ["too large", { ...GOOD, client: "x".repeat(1024 * 1024) }, 400, "usage"],
  ];
  for (const [what, body, status, code] of bad) {
    test(`POST /v1/jobs answers ${status} when: ${what}`, async () => {
      const { app, daemon } = bed();
      const answer = await app.request("/v1/jobs", post(body));
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
      expect((await answer.json()).code).toBe(code);
      expect(daemon.requests.length).toBe(0);
    });
  }

  test("an unknown job, backup or route is 404 with code and hint", async () => {
    const { app } = bed();
    for (const path of ["/v1/jobs/zz", "/v1/jobs/zz/events", "/v1/backups/zz", "/v2"]) {
      const answer = await app.request(path);
      expect(answer.status).toBe(404);
      expect((await answer.json()).code).toBe("not_found");
    }
    const problem = await (await app.request("/v1/backups/zz")).json();
    expect(problem.hint).toBe("See backups.");
  });

  test("a bug of ours is 500 internal and is told to the owner", async () => {
    const told: unknown[] = [];
    const { app, daemon } = bed({ onInternalError: (error) => told.push(error) });
    daemon.status = () => {
      throw new Error("boom");
    };
    const answer = await app.request("/v1/status");
    expect(answer.status).toBe(500);
    expect((await answer.json()).code).toBe("internal");
    expect(told.length).toBe(1);
  });

  test("GET events sends all events, and only later ones with since or Last-Event-ID", async () => {
    const { app, daemon } = bed();
    daemon.script = (self, job) => {
      self.emit(job, progressOf(job, 1));
      self.end(job, "ok");
    };
    daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    const all = await (await app.request("/v1/jobs/j1/events")).text();
    expect(all.match(/^id: \d+$/gm)).toEqual(["id: 1", "id: 2"]);
    expect(all).toContain("event: progress\n");
    const since = await (await app.request("/v1/jobs/j1/events?since=1")).text();
    expect(since.match(/^id: \d+$/gm)).toEqual(["id: 2"]);
    const header = { headers: { "last-event-id": "1" } };
    expect(await (await app.request("/v1/jobs/j1/events", header)).text()).toBe(since);
    expect((await app.request("/v1/jobs/j1/events?since=-1")).status).toBe(400);
  });

  test("GET events sends comments while nothing happens", async () => {
    let naps = 0;
    const quick = {
      sleep: () => naps++ === 0 ? Promise.resolve() : never,
    };
    const { app, daemon } = bed({ clock: quick });
    daemon.script = () => {};
    daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    const reader = (await app.request("/v1/jobs/j1/events")).body?.getReader();
    const first = await reader?.read();
    expect(new TextDecoder().decode(first?.value)).toBe(": still here\n\n");
    await reader?.cancel();
  });

  test("GET backups, entries, stgs, trace, status and the page answer", async () => {
    const { app, daemon } = bed();
    daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    expect((await (await app.request("/v1/backups")).json()).length).toBe(1);
    expect((await (await app.request("/v1/backups/latest")).json()).media).toContain(".tar.zst");
    const entries = await app.request("/v1/backups/latest/entries?path=%2Fsrv%2Fx");
    expect((await entries.json())[0].path).toBe("/srv/x");
    expect((await (await app.request("/v1/stgs")).json())[0].name).toBe("stg0");
    expect((await app.request("/v1/jobs/j1/trace")).status).toBe(200);
    expect((await (await app.request("/v1/status")).json()).role).toBe("server");
    const page = await (await app.request("/")).text();
    expect(page).not.toContain("http://");
  });

  test("GET /v1/backups is 400 on a client", async () => {
    const { app } = bed({}, new FakeDaemon("client"));
    expect((await app.request("/v1/backups")).status).toBe(400);
    expect((await app.request("/")).status).toBe(200);
  });

  test("GET /openapi.json names the routes and the request", async () => {
    const document = await (await bed().app.request("/openapi.json")).json();
    expect(Object.keys(document.paths)).toContain("/v1/jobs/{id}/events");
    expect(JSON.stringify(document.paths["/v1/jobs"].post.requestBody)).toContain(
      "backup-database",
    );
  });

  test("GET /openapi.json has every route, with what it answers", async () => {
    const { app } = bed();
    const paths = await app.paths();
    const described = Object.entries(paths).flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([verb, { responses }]) => {
        expect(Object.keys(responses).length).toBeGreaterThan(1);
        return `${verb} ${path}`;
      })
    );
    expect(described.sort()).toEqual(routesOf(app.app).sort());
  });

  test("GET /metrics shows ring waits, hit ratios, job durations, certificates", async () => {
    const { app, daemon } = bed();
    daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    await app.request("/metrics"); // Durations count once, however often they are read.
    const text = await (await app.request("/metrics")).text();
    for (
      const line of [
        'agent_stg_ring_waits{stg="stg0",host="1"} 7',
        `agent_array_cache_hit_ratio{array="/srv/array",volume="v0"} ${13 / 27}`,
        'agent_job_duration_seconds_count{kind="verify",status="ok"} 1',
        'agent_job_duration_seconds_sum{kind="verify",status="ok"} 2',
        'agent_certificate_expiry_timestamp_seconds{file="cert",serial="abc"} 1798761600',
      ]
    ) expect(text).toContain(line + "\n");
  });

  test("GET /metrics counts each job's fallback once, by its reason", async () => {
    const { app, daemon } = bed();
    const { job } = daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    const fallback = "client_volume_failed";
    const view = { ...daemon.job(job), summary: { ...summaryOf(job), fallback } as const };
    daemon.jobs = () => [view];
    await app.request("/metrics");
    const text = await (await app.request("/metrics")).text();
    expect(text).toContain('agent_fallbacks_total{reason="client_volume_failed"} 1');
    expect(text).toContain('agent_fallbacks_total{reason="connection_lost"} 0');
  });

  test("GET /metrics shows each group's hosts, heartbeats, errors and endpoints", async () => {
    const text = await (await bed().app.request("/metrics")).text();
    expect(text).toContain('agent_stg_up{stg="stg0"} 1');
    expect(text).toContain('agent_stg_host_live{stg="stg0",host="1"} 1');
    expect(text).toContain('agent_stg_heartbeat_age_seconds{stg="stg0",host="1"} 0.012');
    expect(text).toContain('agent_stg_errors{stg="stg0",host="1",kind="tornFrames"} 4');
    expect(text).toContain('agent_stg_endpoints{stg="stg0",host="1",state="quarantined"} 1');
    expect(text).toContain('agent_stg_endpoints{stg="stg0",host="1",state="free"} 13');
  });

  test("GET /metrics shows arrays by volume, board and host; hosts of one name together", async () => {
    const text = await (await bed().app.request("/metrics")).text();
    const array = 'array="/srv/array"';
    for (
      const line of [
        `agent_array_tracks{${array},volume="v0",state="write_pending"} 5`,
        `agent_array_volume_counts{${array},volume="v0",kind="prefetchesUsed"} 20`,
        `agent_array_board_counts{${array},board="0",kind="waitMicros"} 2400`,
        `agent_array_write_pending_share{${array},board="0"} 0.625`,
        `agent_array_host_counts{${array},host="vault01",kind="delayedWrites"} 36`,
      ]
    ) expect(text).toContain(line + "\n");
    // One that ended is not attached any more.
    expect(text).not.toContain('host="web01"');
  });

  test("GET /metrics and /v1/schedules show schedules and the age of backups", async () => {
    const { app } = bed();
    await app.request("/metrics"); // Counters are the same however often they are read.
    const text = await (await app.request("/metrics")).text();
    const web01 = 'client="web01",kind="filesystem",database=""';
    const db01 = 'client="db01",kind="sqlite",database="app"';
    for (
      const line of [
        `agent_last_success_age_seconds{${web01}} 60`,
        `agent_last_success_timestamp_seconds{${web01}} 1767225600`,
        `agent_last_backup_timestamp_seconds{${web01}} 1767225630`,
        `agent_last_success_timestamp_seconds{${db01}} 0`,
        'agent_schedule_next_run_timestamp_seconds{schedule="nightly"} 1767317400',
        'agent_schedule_last_success_timestamp_seconds{schedule="nightly"} 0',
        'agent_schedule_runs_total{schedule="nightly"} 5',
        'agent_schedule_failed_total{schedule="nightly"} 2',
        'agent_schedule_missed_total{schedule="nightly"} 3',
        'agent_schedule_skipped_total{schedule="nightly"} 1',
      ]
    ) expect(text).toContain(line + "\n");
    expect(text).not.toContain(`agent_last_success_age_seconds{${db01}}`);
    const found = await (await app.request("/v1/schedules")).json();
    expect(z.array(scheduleViewSchema).parse(found)).toEqual([SCHEDULE]);
  });

  test("GET /v1/arrays shows what it says in the OpenAPI document", async () => {
    const { app } = bed();
    const found = await (await app.request("/v1/arrays")).json();
    expect(z.array(arrayViewSchema).parse(found)).toEqual([ARRAY]);
    const map = await app.request(`/v1/arrays/${ARRAY.uuid}/map`);
    expect((await map.json())[0].name).toBe("v0");
    expect((await app.request("/v1/arrays/zz/map")).status).toBe(404);
  });

  test("GET /metrics tells of the latest drill of each source", async () => {
    const { app, daemon } = bed();
    const nothing = { differences: 0, unproved: 0, undecrypted: false, seed: null };
    const counts = { entries: 1, of: 2, bytes: 3, ...nothing };
    const drill = (time: string, status: "ok" | "failed") => ({ time, status, ...counts });
    daemon.kept = [
      { ...BACKUP, drilled: drill("2026-01-01T00:00:40Z", "failed") },
      { ...BACKUP, drilled: drill("2026-01-01T00:00:20Z", "ok") },
      { ...BACKUP, client: "web02" },
    ];
    const text = await (await app.request("/metrics")).text();
    const labels = 'client="web01",kind="filesystem",database=""';
    expect(text).toContain(`agent_last_drill_ok{${labels}} 0\n`);
    expect(text).toContain(`agent_last_drill_timestamp_seconds{${labels}} 1767225640\n`);
    expect(text).not.toContain('agent_last_drill_ok{client="web02"');
  });

  test("GET /v1/status and /metrics tell of archived logs", async () => {
    const { app, daemon } = bed();
    const log = {
      client: "web01",
      database: "pg",
      system: "7412345678901234567",
      files: 3,
      bytes: 4096,
      first: "000000010000000000000001",
      last: "000000010000000000000003",
      newest: "2026-01-01T00:00:00.000Z",
      newestAgeSeconds: 42.5,
    };
    const other = { ...log, database: "new", first: null, last: null, newest: null };
    daemon.wal = [log, { ...other, newestAgeSeconds: null }];
    const status = statusViewSchema.parse(await (await app.request("/v1/status")).json());
    expect(status.wal).toEqual(daemon.wal);
    const text = await (await app.request("/metrics")).text();
    const labels = 'client="web01",database="pg",system="7412345678901234567"';
    expect(text).toContain(`agent_wal_newest_age_seconds{${labels}} 42.5\n`);
    expect(text).toContain(`agent_wal_files{${labels}} 3\n`);
    expect(text).toContain(`agent_wal_bytes{${labels}} 4096\n`);
    expect(text).not.toContain('agent_wal_newest_age_seconds{client="web01",database="new"');
  });

  test("POST /v1/jobs verifies archived logs, all of them without a name", async () => {
    const { app, daemon } = bed();
    const post = (request: unknown) =>
      app.request("/v1/jobs", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request),
      });
    expect((await post({ kind: "verify-wal" })).status).toBe(202);
    expect(daemon.requests).toEqual([
      { kind: "verify-wal", client: null, database: null, data: false },
    ]);
    expect((await post({ kind: "verify-wal", backups: [] })).status).toBe(400);
  });

  test("POST /v1/jobs starts a drill that names nothing", async () => {
    const { app, daemon } = bed();
    const body = JSON.stringify({ kind: "drill" });
    const headers = { "content-type": "application/json" };
    expect((await app.request("/v1/jobs", { method: "POST", headers, body })).status).toBe(202);
    const nothing = { seed: null, scratch: null, identityFile: null };
    const sample = { entries: 1000 };
    expect(daemon.requests).toEqual([{ kind: "drill", backup: "latest", sample, ...nothing }]);
  });

  test("GET /metrics counts bytes once however often it is read", async () => {
    const { app, daemon } = bed();
    daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    await app.request("/metrics");
    const answer = await app.request("/metrics");
    expect(answer.headers.get("content-type")).toContain("text/plain");
    const text = await answer.text();
    expect(text).toContain('agent_channel_bytes_total{channel="storage"} 9900');
    expect(text).toContain('agent_jobs{state="ok"} 1');
    expect(text).toContain('agent_last_success_age_seconds{client="web01",kind="filesystem",');
    expect(text).toMatch(/agent_last_success_age_seconds\{[^}]*\} 60/);
  });
});

describe("routes of write-ahead logs", () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const put = { method: "PUT", body: bytes };
  const path = "/v1/wal/pg/000000010000000000000001";

  test("keep a file and give it back; one that is not there has a code of its own", async () => {
    const { app } = bed();
    const kept = await app.request("/v1/wal/pg/000000010000000000000001?system=7", put);
    expect([kept.status, await kept.json()]).toEqual([200, { outcome: "stored" }]);
    const again = await app.request("/v1/wal/pg/000000010000000000000001?system=7", put);
    expect(await again.json()).toEqual({ outcome: "same" });
    const back = await app.request("/v1/wal/pg/000000010000000000000001?system=7");
    expect(back.headers.get("content-type")).toBe("application/zstd");
    const frame = new Uint8Array(await back.arrayBuffer());
    expect(new Uint8Array(decompressFrame(frame, bytes.length))).toEqual(bytes);
    const absent = await app.request("/v1/wal/pg/000000010000000000000002?system=7");
    expect(await absent.json()).toMatchObject({ code: "absent" });
    const unknown = await app.request("/v1/wal/none/000000010000000000000001");
    expect(await unknown.json()).toMatchObject({ code: "not_found" });
    const wrong = await app.request("/v1/wal/pg/000000010000000000000001?system=seven");
    expect(await wrong.json()).toMatchObject({ code: "usage" });
  });

  test("ask for the bytes of a file that the daemon does not see, and take its digest only", async () => {
    const { app, daemon } = bed();
    const sha256 = "ab".repeat(32);
    const tell = (body: unknown) =>
      app.request("/v1/wal/pg/000000010000000000000001?system=7", post(body));
    expect(await (await tell({ bytes: 3, sha256 })).json()).toEqual({ outcome: "unlike" });
    daemon.seen.add(`000000010000000000000001 3 ${sha256}`);
    expect(await (await tell({ bytes: 3, sha256 })).json()).toEqual({ outcome: "stored" });
    for (const wrong of [{ bytes: 3 }, { bytes: 0, sha256 }, { bytes: 3, sha256: "ab" }]) {
      expect(await (await tell(wrong)).json()).toMatchObject({ code: "usage" });
    }
  });

  test("take a whole segment, where a job request of that size is refused", async () => {
    const { app } = bed();
    const keep = (body: BodyInit) => app.request(path, { method: "PUT", body });
    expect((await keep(new Uint8Array(16 * 1024 * 1024))).status).toBe(200);
    const refused = await keep(new Uint8Array(64 * 1024 * 1024 + 1));
    expect(await refused.json()).toMatchObject({ code: "usage" });
  }, 60_000);

  test("stand alone on the socket of a database's user", async () => {
    const app = createWalApp(new FakeDaemon("client"), { clock, access: null });
    expect((await app.request("/v1/wal/pg/000000010000000000000001", put)).status).toBe(200);
    for (const path of ["/v1/jobs", "/v1/status", "/", "/metrics", "/openapi.json"]) {
      expect((await app.request(path)).status).toBe(404);
    }
  });

  test("that were refused there are in the audit log, those that were taken are not", async () => {
    const seen: string[] = [];
    const audit: Audit = ({ who, action, result }) => seen.push(`${who.by} ${action} ${result}`);
    const app = createWalApp(new FakeDaemon("client"), { clock, access: null, audit });
    expect((await app.request(path, put)).status).toBe(200);
    expect((await app.request("/v1/wal/pg/000000010000000000000002")).status).toBe(404);
    expect((await app.request(`${path}?system=seven`, put)).status).toBe(400);
    // A file that the daemon is to read itself is one, too.
    expect((await app.request(path, { method: "POST", body: "{}" })).status).toBe(400);
    expect(seen).toEqual([`wal_socket PUT ${path} 400`, `wal_socket POST ${path} 400`]);
  });
});
