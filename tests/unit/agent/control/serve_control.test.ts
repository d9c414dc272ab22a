// The endpoint over a real Unix socket and TCP port, with its client: exchange, events and their
// resumption, cancelling, stale and living sockets.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import {
  ControlClient,
  createControlApp,
  hostsOf,
  readToken,
  serveControl,
  type ServedControl,
} from "../../../../agent/control/mod.ts";
import { CONNECTIONS_MAX, CONTROL_ARRIVALS } from "../../../../agent/control/limits.ts";
import { statusViewSchema } from "../../../../agent/control/status_schema.ts";
import { jobViewSchema } from "../../../../agent/control/view_schema.ts";
import { SseDecoder } from "../../../../agent/control/sse_decoder.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { findUser } from "../../../../agent/postgresql/mod.ts";
import { currentRuntime, type UserId } from "../../../../transport/runtime/mod.ts";
import { knockUntilSilent } from "../../transport/knock.ts";
import { FakeDaemon, progressOf } from "./fake_daemon.ts";

const HTTP = { kind: "http", host: "127.0.0.1", port: 0 } as const;
/** More than a burst and what comes back of it meanwhile. */
const CALLS_MAX = 500;
const OTHER = "nobody";
const PLENTY = { burst: 10_000, perSecond: 10_000 };

let directory = "";
let path = "";
let open: ServedControl[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "control-"));
  path = join(directory, "run", "c.sock");
  open = [];
});

afterEach(async () => {
  for (const served of open) await served.close();
  rmSync(directory, { recursive: true, force: true });
});

async function serve(
  daemon: FakeDaemon,
  at = path,
  owner?: UserId,
): Promise<ControlClient> {
  const runtime = await currentRuntime();
  const parts = owner === undefined ? runtime : { ...runtime, owner };
  const app = createControlApp(daemon, { clock: runtime.clock, access: null });
  open.push(await serveControl(app, { kind: "unix", path: at }, parts));
  return new ControlClient({ address: { kind: "unix", path: at }, token: null });
}

/** Whether another user reaches it and may write, as connecting to a socket takes. */
function mayWrite(at: string): boolean {
  const as = ["--reuid", OTHER, "--regid", "nogroup", "--clear-groups"];
  const script = 'test -w "$1" && echo yes || echo no';
  const said = execFileSync("setpriv", [...as, "sh", "-c", script, "sh", at], { cwd: "/" });
  return said.toString().trim() === "yes";
}

function modeOf(name: string): number {
  return statSync(join(directory, name)).mode & 0o7777;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return error instanceof AgentError ? error.code : String(error);
  }
}

describe("serveControl on a Unix socket", () => {
  test("answers its client on a socket of mode 0600, and is gone after close", async () => {
    const client = await serve(new FakeDaemon());
    expect((await client.get("/v1/status", statusViewSchema)).name).toBe("vault01");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await open[0]?.close();
    await open[0]?.close();
    expect(await codeOf(client.get("/v1/status", statusViewSchema))).toBe("unreachable");
  });

  test("lets the user it is given to through the directories that it makes", async () => {
    if (process.getuid?.() !== 0) return;
    chmodSync(directory, 0o711);
    const runtime = await currentRuntime();
    const owner = await findUser(runtime.process, OTHER);
    const own = join(directory, "run/agent/c.sock");
    const given = join(directory, "run/agent/wal.sock");
    const mask = process.umask(0o077);
    try {
      await serve(new FakeDaemon(), own);
      await serve(new FakeDaemon(), given, owner);
    } finally {
      process.umask(mask);
    }
    expect([mayWrite(own), mayWrite(given)]).toEqual([false, true]);
    for (const made of ["run", "run/agent"]) expect(modeOf(made)).toBe(0o711);
    expect(modeOf("run/agent/wal.sock")).toBe(0o600);
    expect(mayWrite(join(directory, "run/agent"))).toBe(false);
  });

  test("events() streams while the job runs, resumes with since, and it is cancelled", async () => {
    const daemon = new FakeDaemon();
    daemon.script = (self, job) => self.emit(job, progressOf(job, 1));
    const client = await serve(daemon);
    const request = { kind: "backup-database", database: "app" };
    const { job } = await client.post("/v1/jobs", request, jobViewSchema);
    for await (const event of client.events(job, { since: 0 })) {
      expect(event.id).toBe(1);
      break;
    }
    daemon.emit(job, progressOf(job, 2));
    expect((await client.delete(`/v1/jobs/${job}`, jobViewSchema)).state).toBe("cancelled");
    const ids: number[] = [];
    for await (const event of client.events(job, { since: 1 })) ids.push(event.id);
    expect(ids).toEqual([2, 3]);
  });

  test("close() ends open event streams", async () => {
    const daemon = new FakeDaemon();
    daemon.script = (self, job) => self.emit(job, progressOf(job, 1));
    const client = await serve(daemon);
    const { job } = daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    const events = client.events(job, { since: 0 });
    expect((await events.next()).value?.id).toBe(1);
    const next = codeOf(events.next());
    await open[0]?.close();
    expect(["unreachable", "no error"]).toContain(await next);
  });

  test("the daemon's errors arrive with their code and hint", async () => {
    const client = await serve(new FakeDaemon());
    expect(await codeOf(client.get("/v1/jobs/zz", jobViewSchema))).toBe("not_found");
    expect(await codeOf(client.post("/v1/jobs", { kind: "x" }, jobViewSchema))).toBe("usage");
    expect(await codeOf(client.events("zz", { since: 0 }).next())).toBe("not_found");
    expect(await codeOf(client.get("/v1/stgs", jobViewSchema))).toBe("mismatch");
  });

  test("a living socket is busy, and its owner goes on", async () => {
    const client = await serve(new FakeDaemon());
    expect(await codeOf(serve(new FakeDaemon()))).toBe("busy");
    expect((await client.get("/v1/status", statusViewSchema)).name).toBe("vault01");
  });

  test("a stale socket is replaced, another file is not", async () => {
    const stale = join(directory, "stale.sock");
    leaveSocket(stale);
    const client = await serve(new FakeDaemon(), stale);
    expect((await client.get("/v1/status", statusViewSchema)).ready).toBe(true);
    const file = join(directory, "file");
    writeFileSync(file, "kept");
    expect(await codeOf(serve(new FakeDaemon(), file))).toBe("failed");
    expect(statSync(file).size).toBe(4);
  });

  test("a silent owner of the socket is an owner", async () => {
    const silent = join(directory, "silent.sock");
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(silent, () => resolve()));
    try {
      expect(await codeOf(serve(new FakeDaemon(), silent))).toBe("busy");
    } finally {
      server.close();
    }
  });
});

describe("serveControl over TCP", () => {
  test("asks for the token", async () => {
    const runtime = await currentRuntime();
    const { clock, random } = runtime;
    const hosts: string[] = [];
    const access = { token: "0123456789abcdef", hosts, clock, random };
    const app = createControlApp(new FakeDaemon(), { clock, access });
    const served = await serveControl(app, HTTP, runtime);
    open.push(served);
    if (served.address.kind === "http") hosts.push(...hostsOf("127.0.0.1", served.address.port));
    const good = new ControlClient({ address: served.address, token: access.token });
    const bad = new ControlClient({ address: served.address, token: null });
    expect((await good.get("/v1/status", statusViewSchema)).role).toBe("server");
    expect(await codeOf(bad.get("/v1/status", statusViewSchema))).toBe("auth");
    expect(await codeOf(serveControl(app, served.address, runtime))).toBe("port_in_use");
  });

  test("leaves calls of an address unanswered that comes too often, and no other's", async () => {
    const runtime = await currentRuntime();
    const app = createControlApp(new FakeDaemon(), { clock: runtime.clock, access: null });
    const served = await serveControl(app, HTTP, runtime);
    open.push(served);
    const { port } = served.address as { port: number };
    const answered = await knockUntilSilent("127.0.0.2", port, CALLS_MAX);
    expect(answered).toBeGreaterThanOrEqual(CONTROL_ARRIVALS.perAddress.burst - 1);
    expect(answered).toBeLessThan(CALLS_MAX);
    const client = new ControlClient({ address: served.address, token: null });
    expect((await client.get("/v1/status", statusViewSchema)).name).toBe("vault01");
  });
});

test("readToken() takes the text and refuses short and missing ones", async () => {
  const { files } = await currentRuntime();
  const file = join(directory, "token");
  writeFileSync(file, "0123456789abcdef\n", { mode: 0o640 });
  expect(readToken(files, file)).toBe("0123456789abcdef");
  writeFileSync(file, "short");
  expect(await codeOf(Promise.resolve().then(() => readToken(files, file)))).toBe("usage");
  rmSync(file);
  expect(await codeOf(Promise.resolve().then(() => readToken(files, file)))).toBe("usage");
});

for (const mode of [0o644, 0o604, 0o602]) {
  test(`readToken() refuses a file of mode ${mode.toString(8)}`, async () => {
    const { files } = await currentRuntime();
    const file = join(directory, "token");
    writeFileSync(file, "0123456789abcdef\n");
    chmodSync(file, mode);
    expect(() => readToken(files, file))
      .toThrow(`found it open to every user (mode 0${mode.toString(8)})`);
  });
}

test("SseDecoder gives the same events wherever the stream is cut", () => {
  const text = ": hello\n\nid: 1\nevent: a\ndata: x\ndata: y\n\nid: 2\r\ndata:z\r\n\r\n";
  for (let cut = 0; cut <= text.length; cut++) {
    const decoder = new SseDecoder();
    expect([...decoder.push(text.slice(0, cut)), ...decoder.push(text.slice(cut))]).toEqual([
      { id: "1", event: "a", data: "x\ny" },
      { id: "2", event: "", data: "z" },
    ]);
  }
});

describe("watchConnections()", () => {
  test("ends a connection that sends half a request, and no other", async () => {
    const runtime = await currentRuntime();
    const { clock } = runtime;
    const waits = new Set<() => void>();
    const held = {
      ...clock,
      sleep: (_ms: number, options: { signal?: AbortSignal } = {}) =>
        new Promise<void>((resolve, reject) => {
          waits.add(resolve);
          options.signal?.addEventListener("abort", () => {
            waits.delete(resolve);
            reject(options.signal?.reason);
          });
        }),
    };
    const daemon = new FakeDaemon();
    daemon.script = (self, job) => self.emit(job, progressOf(job, 1));
    const app = createControlApp(daemon, { clock: held, access: null });
    const served = await serveControl(app, HTTP, { ...runtime, clock: held });
    open.push(served);
    const { port } = served.address as { port: number };
    const ended = await Promise.all(["G", "GET / HT"].map((text) => heldConnection(port, text)));
    const client = new ControlClient({ address: served.address, token: null });
    const { job } = daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    const events = client.events(job, { since: 0 });
    expect((await events.next()).value?.id).toBe(1);
    await until(() => waits.size >= 3);
    // Time is up for those without a request; the stream only gets a sign of life.
    for (const up of [...waits]) up();
    await Promise.all(ended.map(({ closed }) => closed));
    daemon.emit(job, progressOf(job, 2));
    expect((await events.next()).value?.id).toBe(2);
    await events.return();
  });

  test("takes no more connections than its limit, and others again after those", async () => {
    const runtime = await currentRuntime();
    const app = createControlApp(new FakeDaemon(), { clock: runtime.clock, access: null });
    const arrivals = { perAddress: PLENTY, total: PLENTY };
    const served = await serveControl(app, HTTP, { ...runtime, arrivals });
    open.push(served);
    const { port } = served.address as { port: number };
    const held = await Promise.all(
      Array.from({ length: CONNECTIONS_MAX }, () => heldConnection(port, "G")),
    );
    await (await heldConnection(port, "G")).closed; // One too many.
    for (const { end } of held) end();
    await Promise.all(held.map(({ closed }) => closed));
    const client = new ControlClient({ address: served.address, token: null });
    expect((await client.get("/v1/status", statusViewSchema)).name).toBe("vault01");
  });
});

/** A connection that sent `text` and waits. */
function heldConnection(port: number, text: string) {
  return new Promise<{ readonly closed: Promise<void>; readonly end: () => void }>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(text);
      resolve({ closed, end: () => socket.destroy() });
    });
    socket.on("error", () => {}); // A reset is an end.
    const closed = new Promise<void>((done) => socket.on("close", () => done()));
  });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Leaves a socket file that nobody listens on, as a killed daemon does. */
function leaveSocket(at: string): void {
  const code = "const n=require('node:net');n.createServer().listen(process.argv[1]," +
    "()=>process.kill(process.pid,'SIGKILL'))";
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  spawnSync("node", ["-e", code, at]);
  expect(statSync(at).isSocket()).toBe(true);
}
