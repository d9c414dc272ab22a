// A configuration that is read again: what takes effect, what waits for a restart, and that a file
// that is not good changes nothing.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Config,
  loadClientConfig,
  loadServerConfig,
  requireConfig,
} from "../../../../agent/config/mod.ts";
import { planReload } from "../../../../agent/reload_plan.ts";
import { Reloader } from "../../../../agent/reloader.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";

const runtime = await currentRuntime();

const SERVER = `name: vault01
network: { listen: 127.0.0.1, port: 7430 }
control: unix:server.sock
stgs: [{ name: stg0, host: 1, array: array, volumes: [v0] }]
vault: vault
clients:
  web01: { address: 127.0.0.1, port: 7530, stg: stg0 }
`;
const CLIENT = `name: web01
network: { listen: 127.0.0.1, port: 7530 }
control: unix:client.sock
server: { address: 127.0.0.1, port: 7430 }
`;
const server = (text: string) => requireConfig(loadServerConfig(text, { file: "/s.yaml" }));
const client = (text: string) => requireConfig(loadClientConfig(text, { file: "/c.yaml" }));

describe("planReload()", () => {
  test("takes what jobs are given, and holds what is open since the start", () => {
    const plan = planReload(
      server(SERVER),
      server(
        `${SERVER.replace("7430", "7431").replace("host: 1", "host: 2").replace("web01", "web02")}
retention: { keep_last: 3 }
jobs: { max_running: 2 }
schedules: { tidy: { cron: "@daily", kind: expire } }
`,
      ),
    );
    expect(plan.changed.toSorted()).toEqual(["clients", "jobs", "retention", "schedules"]);
    expect(plan.held.toSorted()).toEqual(["network", "stgs"]);
    expect(plan.config.network.port).toBe(7430);
    expect(plan.config.stgs[0]?.host).toBe(1);
    expect(plan.config.clients[0]?.name).toBe("web02");
    expect(plan.config.jobs.maxRunning).toBe(2);
  });

  test("of a client too; nothing changes nothing", () => {
    const plan = planReload(
      client(CLIENT),
      client(
        `${CLIENT}spool: /srv\nallow_restore: false\ndatabases: { a: { kind: sqlite, path: a } }`,
      ),
    );
    expect(plan.changed.toSorted()).toEqual([
      "allow_backup, allow_restore, allow_overwrite",
      "databases",
    ]);
    expect(plan.held).toEqual(["spool"]);
    expect(planReload(client(CLIENT), client(CLIENT))).toMatchObject({ changed: [], held: [] });
  });

  test("takes other files of tls, but neither begins nor ends it", () => {
    const tls = (cert: string) => `${SERVER}tls: { ca: ca, cert: ${cert}, key: key }\n`;
    expect(planReload(server(tls("a")), server(tls("b"))).changed).toEqual(["tls"]);
    expect(planReload(server(SERVER), server(tls("b"))).held).toEqual(["tls"]);
    expect(planReload(server(tls("a")), server(SERVER)).held).toEqual(["tls"]);
  });
});

describe("Reloader", () => {
  let folder = "";
  let file = "";
  let told: string[];
  let audited: string[];
  let taken: Config[];
  let refusal: AgentError | null;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "reload-"));
    file = join(folder, "server.yaml");
    told = [];
    audited = [];
    taken = [];
    refusal = null;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Asks for a reload of `text`. @returns when the daemon is ready again */
  async function reload(text: string, asked: "before" | "after" = "after"): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const reloader = new Reloader({
      runtime,
      audit: ({ action, result, details }) =>
        void audited.push([action, result, details?.changed ?? ""].join(" ").trim()),
      log: (level, message) => void told.push(`${level} ${message}`),
      notices: {
        say: (notice, status) => {
          told.push(`${notice} ${status}`);
          if (notice === "ready") resolve();
        },
      },
    });
    writeFileSync(file, text);
    if (asked === "before") reloader.request();
    const running = requireConfig(loadServerConfig(SERVER, { file }));
    reloader.begin({
      config: running,
      take: (config) => {
        if (refusal !== null) return Promise.reject(refusal);
        taken.push(config);
        return Promise.resolve();
      },
      status: () => "up",
    });
    if (asked === "after") reloader.request();
    await promise;
  }

  test("gives the daemon what may change, and names what waits", async () => {
    await reload(`${SERVER.replace("7430", "7431")}retention: { keep_last: 3 }\n`);
    expect(taken.map(({ network }) => network.port)).toEqual([7430]);
    expect(audited).toEqual(["reload taken retention"]);
    expect(told).toEqual([
      `reloading reads ${file} again`,
      "warning `network` has changed: it takes effect at the next restart",
      "info configuration read again: retention changed",
      "ready up; reloaded, a restart is needed for network",
    ]);
  });

  test("takes what was asked for during the start", async () => {
    await reload(SERVER, "before");
    expect(taken.length).toBe(1);
  });

  test("keeps the old configuration when the file is not good, and says all that is wrong", async () => {
    await reload(SERVER.replace("port: 7530", "port: 0").replace("vault: vault", "vualt: vault"));
    expect(taken).toEqual([]);
    const errors = told.filter((line) => line.startsWith("error"));
    expect(errors.some((line) => /server\.yaml:5:1: vualt: /.test(line))).toBe(true);
    expect(errors.some((line) => /server\.yaml:7:\d+: clients\.web01\.port: /.test(line))).toBe(
      true,
    );
    expect(errors.every((line) => !line.includes("\n"))).toBe(true);
    expect(audited.join()).toMatch(/^reload Cannot use configuration .*found 3 problem\(s\)/);
    expect(errors.at(-1)).toContain("the old configuration stays");
    expect(told.at(-1)).toMatch(/^ready up; reload failed: /);
  });

  test("keeps it when the daemon cannot take it, or the file is gone", async () => {
    refusal = new AgentError("usage", "Cannot use `tls.cert`", { hint: "Issue one." });
    await reload(SERVER);
    expect(told.slice(1)).toEqual([
      "error the old configuration stays: Cannot use `tls.cert`; Issue one.",
      "ready up; reload failed: Cannot use `tls.cert`",
    ]);
    rmSync(file);
    told = [];
    await reload("- not a map");
    expect(told.at(-1)).toContain("reload failed");
  });
});
