// A daemon for tests of the endpoint and the command line: jobs are scripts of events that the
// test lets go on, one by one.

import type {
  ArrayDeviceMap,
  ArrayView,
  BackupDetail,
  ChangedEntry,
  Daemon,
  FoundEntry,
  JobEvent,
  JobEventBody,
  JobRequest,
  JobState,
  JobView,
  ListedEntry,
  Role,
  ScheduleView,
  StatusView,
  StgView,
  Summary,
  TraceStep,
  ValidationView,
  WalGet,
  WalPush,
  WalPushed,
  WalPushedOwn,
  WalPushOwn,
} from "../../../../agent/control/mod.ts";
import type { WalStatusView } from "../../../../agent/control/wal_report_view.ts";
import { compressFrame } from "../../../../agent/media/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { LAST_BACKUPS, SCHEDULE } from "./fake_schedules.ts";
import { ARRAY, MAP, STG } from "./fake_storage.ts";

export const CHANNELS = { network: { bytes: 100 }, storage: { bytes: 9900 } };

export function summaryOf(job: string, status: Summary["status"] = "ok"): Summary {
  return {
    type: "summary",
    job,
    backup: status === "failed" ? null : "20260101-000000-ab",
    status,
    files: 3,
    bytes: 4096,
    seconds: 2,
    channels: CHANNELS,
    fallback: null,
  };
}

export function progressOf(job: string, bytes: number): JobEventBody {
  return {
    type: "progress",
    job,
    phase: "reading",
    files: 1,
    bytes,
    totalFiles: 3,
    totalBytes: 4096,
    seconds: 1,
    bytesPerSecond: 1024,
    channels: CHANNELS,
  };
}

export const BACKUP: BackupDetail = {
  backup: "20260101-000000-ab",
  client: "web01",
  kind: "filesystem",
  database: null,
  time: "2026-01-01T00:00:00Z",
  level: "full",
  parent: null,
  status: "ok",
  pinned: false,
  drilled: null,
  files: 3,
  bytes: 4096,
  channels: CHANNELS,
  fallback: null,
  paths: ["/srv"],
  ...EVERYTHING,
  seconds: 2,
  mediaBytes: 2048,
  media: "20260101-000000-ab.tar.zst",
  skipped: [],
};

export const ENTRY: ListedEntry = {
  path: "/srv/a\x1b[31m",
  pathBase64: null,
  type: "file",
  mode: "0644",
  uid: 0,
  gid: 0,
  bytes: 5,
  mtime: "2026-01-01T00:00:00.000000000Z",
  target: null,
};

export const VALIDATION: ValidationView = {
  client: "web01",
  policy: "prefer-storage",
  ok: true,
  version: "1.2.3",
  clientVersion: "1.2.3",
  clockAheadMs: 0,
  seconds: 0.4,
  channels: [
    { channel: "network", usable: true, reason: null, detail: "2 connections", stg: null },
    { channel: "storage", usable: true, reason: null, detail: "each host read", stg: "stg0" },
  ],
};

interface FakeJob {
  view: JobView;
  events: JobEvent[];
  wake: (() => void)[];
}

export class FakeDaemon implements Daemon {
  readonly role: Role;
  readonly requests: JobRequest[] = [];
  readonly cancelled: string[] = [];
  /** What a started job does at once; the default ends it well. */
  script: (daemon: FakeDaemon, job: string) => void = (daemon, job) => daemon.end(job, "ok");
  /** Ends the first event stream after so many events, as a lost connection does. */
  cutAfter: number | null = null;
  steps: readonly TraceStep[] = [];
  ready = true;
  /** What its archives have. */
  wal: readonly WalStatusView[] = [];
  /** What the vault has. */
  kept: readonly BackupDetail[] = [BACKUP];
  #jobs = new Map<string, FakeJob>();

  constructor(role: Role = "server") {
    this.role = role;
  }

  /** What the next validation finds. */
  validation: ValidationView = VALIDATION;
  validate(client: string): Promise<ValidationView> {
    if (client === this.validation.client) return Promise.resolve(this.validation);
    return Promise.reject(new AgentError("not_found", `Cannot find client "${client}"`));
  }

  status(): StatusView {
    return {
      role: this.role,
      name: "vault01",
      version: "0.0.0",
      ready: this.ready,
      reasons: this.ready ? [] : ["catalog damaged"],
      cutBackups: [],
      wal: this.wal,
      uptimeSeconds: 5,
      residentBytes: 1024 * 1024,
      stgs: [STG],
      jobs: { running: 0, queued: 0, total: this.#jobs.size },
      schedules: this.schedules(),
      clients: LAST_BACKUPS,
      certificates: [{
        file: "cert",
        serial: "abc",
        names: ["vault01"],
        notBefore: "2026-01-01T00:00:00.000Z",
        notAfter: "2027-01-01T00:00:00.000Z",
        leftSeconds: 60,
      }],
    };
  }

  startJob(request: JobRequest): JobView {
    if (request.kind === "backup-filesystem" && request.client === "nobody") {
      throw new AgentError("not_found", 'Cannot find client "nobody"', { hint: "See clients." });
    }
    this.requests.push(request);
    const job = `j${this.#jobs.size + 1}`;
    const view: JobView = {
      job,
      kind: request.kind,
      state: "running",
      client: "web01",
      created: "2026-01-01T00:00:00Z",
      request,
      progress: null,
      error: null,
      summary: null,
    };
    this.#jobs.set(job, { view, events: [], wake: [] });
    this.script(this, job);
    return view;
  }

  emit(job: string, body: JobEventBody): void {
    const found = this.#find(job);
    found.events.push({ id: found.events.length + 1, body });
    for (const wake of found.wake.splice(0)) wake();
  }

  end(job: string, state: JobState, more: Partial<Summary> = {}): void {
    const status = state === "ok" || state === "incomplete" ? state : "failed";
    const summary = { ...summaryOf(job, status), ...more };
    const found = this.#find(job);
    found.view = { ...found.view, state, summary };
    this.emit(job, summary);
  }

  fail(job: string, error: NonNullable<JobView["error"]>): void {
    const found = this.#find(job);
    found.view = { ...found.view, error };
    this.emit(job, { type: "error", job, ...error });
    this.end(job, "failed");
  }

  jobs(): readonly JobView[] {
    return [...this.#jobs.values()].map((job) => job.view);
  }

  job(id: string): JobView {
    return this.#find(id).view;
  }

  cancelJob(id: string): JobView {
    this.cancelled.push(id);
    this.end(id, "cancelled");
    return this.job(id);
  }

  trace(id: string): readonly TraceStep[] {
    this.#find(id);
    return this.steps;
  }

  async *events(id: string, options: { since: number; signal: AbortSignal }) {
    const found = this.#find(id);
    const cut = this.cutAfter;
    this.cutAfter = null;
    let sent = 0;
    for (let next = options.since; !options.signal.aborted;) {
      const event = found.events[next];
      if (event === undefined) {
        await new Promise<void>((resolve) => {
          found.wake.push(resolve);
          options.signal.addEventListener("abort", () => resolve(), { once: true });
        });
        continue;
      }
      if (cut !== null && sent >= cut) return;
      yield event;
      next += 1;
      sent += 1;
      if (event.body.type === "summary") return;
    }
  }

  schedules = (): readonly ScheduleView[] => [SCHEDULE];

  stgs(): readonly StgView[] {
    return [STG];
  }

  arrays(): readonly ArrayView[] {
    return [ARRAY];
  }

  arrayMap(uuid: string): readonly ArrayDeviceMap[] {
    if (uuid !== ARRAY.uuid) throw new AgentError("not_found", `Cannot find array "${uuid}"`);
    return [MAP];
  }

  backups(): readonly BackupDetail[] {
    if (this.role === "client") throw new AgentError("usage", "Cannot list backups: a client");
    return this.kept;
  }

  backup(reference: string): BackupDetail {
    if (reference === "latest" || BACKUP.backup.startsWith(reference)) return BACKUP;
    throw new AgentError("not_found", `Cannot find backup "${reference}"`, {
      hint: "See backups.",
    });
  }

  /** Files of write-ahead logs, by database, cluster and name. */
  readonly log = new Map<string, Uint8Array>();
  /** Digests of the files that it sees itself. */
  readonly seen = new Set<string>();

  pushWal({ database, system, name, bytes }: WalPush): Promise<WalPushed> {
    const key = `${database} ${system} ${name}`;
    const outcome = this.log.has(key) ? "same" : "stored";
    this.log.set(key, bytes);
    return Promise.resolve({ outcome });
  }

  pushOwnWal({ name, bytes, sha256 }: WalPushOwn): Promise<WalPushedOwn> {
    const outcome = this.seen.has(`${name} ${bytes} ${sha256}`) ? "stored" : "unlike";
    return Promise.resolve({ outcome });
  }

  getWal({ database, system, name }: WalGet): Promise<Uint8Array | null> {
    if (database !== "pg") {
      return Promise.reject(new AgentError("not_found", `Cannot find database "${database}"`));
    }
    const bytes = this.log.get(`${database} ${system} ${name}`);
    return Promise.resolve(bytes === undefined ? null : compressFrame(bytes, 1));
  }

  pin(reference: string, pinned: boolean): BackupDetail {
    return { ...this.backup(reference), pinned };
  }

  list(_reference: string, path: string | Uint8Array | null): readonly ListedEntry[] {
    if (!(path instanceof Uint8Array)) return [{ ...ENTRY, path: path ?? ENTRY.path }];
    return [{ ...ENTRY, path: new TextDecoder().decode(path), pathBase64: path.toBase64() }];
  }

  find(glob: string): Promise<readonly FoundEntry[]> {
    if (glob.startsWith("/none")) {
      return Promise.reject(new AgentError("failed", `Cannot find "${glob}": no backup has it`));
    }
    const { backup } = BACKUP;
    return Promise.resolve([{
      ...ENTRY,
      path: glob,
      client: "web01",
      first: backup,
      last: backup,
    }]);
  }

  diff(before: string, after: string): Promise<readonly ChangedEntry[]> {
    const common = { pathBase64: null, type: "file", bytes: 1 };
    return Promise.resolve([
      { ...common, change: "added", path: `/new in ${after}`, reasons: [] },
      { ...common, change: "removed", path: `/only in ${before}`, reasons: [] },
      { ...common, change: "changed", path: "/both", reasons: ["size", "mtime"] },
    ]);
  }

  #find(id: string): FakeJob {
    const found = this.#jobs.get(id);
    if (found === undefined) throw new AgentError("not_found", `Cannot find job "${id}"`);
    return found;
  }
}
