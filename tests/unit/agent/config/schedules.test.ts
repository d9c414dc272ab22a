// `jobs:` and `schedules:` of both roles: defaults, and each schedule that could never run refused.

import { describe, expect, test } from "bun:test";
import {
  formatProblem,
  loadClientConfig,
  loadConfigText,
  loadServerConfig,
  requireConfig,
} from "../../../../agent/config/mod.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";

const SERVER = `name: vault01
network: { listen: 127.0.0.1, port: 7430 }
control: unix:run/server.sock
vault: vault
clients:
  web01: { address: 127.0.0.1, port: 7530, channel: network-only }
  db01: { address: 127.0.0.1, port: 7540, channel: network-only }
`;

const CLIENT = `name: web01
network: { listen: 127.0.0.1, port: 7530 }
control: unix:run/client.sock
server: { address: 127.0.0.1, port: 7430 }
databases:
  app: { kind: sqlite, path: data/app.db }
`;

const FILE = "/etc/agent/x.yaml";

function problems(text: string): readonly string[] {
  const result = loadConfigText(text, { file: FILE });
  return result.ok ? [] : result.problems.map((problem) => formatProblem("F", problem));
}

describe("schedules in a configuration", () => {
  test("loadServerConfig() and loadClientConfig() read jobs and schedules with their defaults", () => {
    const server = requireConfig(loadServerConfig(
      `${SERVER}jobs: { max_running: 2, max_queued: 0 }
schedules:
  nightly: { cron: "30 2 * * 1-5", time_zone: Europe/Berlin, client: web01, paths: [/srv, /etc] }
  monthly: { kind: backup, cron: "0 3 1 * *", client: web01, paths: [/srv], exclude: ["*.o"],
             full: true, catch_up: false }
  expiry: { kind: expire, cron: "@daily" }
  checks: { kind: verify, cron: "0 12 * * *", data: true, parts: 30 }
`,
      { file: FILE },
    ));
    expect(server.jobs).toEqual({ maxRunning: 2, maxQueued: 0 });
    const files = { kind: "backup-filesystem", client: "web01" } as const;
    const utc = { timeZone: "UTC", catchUp: true };
    expect(server.schedules).toEqual([
      {
        name: "nightly",
        cron: "30 2 * * 1-5",
        timeZone: "Europe/Berlin",
        catchUp: true,
        task: { ...files, paths: ["/srv", "/etc"], full: false, ...EVERYTHING },
      },
      {
        name: "monthly",
        cron: "0 3 1 * *",
        timeZone: "UTC",
        catchUp: false,
        task: { ...files, paths: ["/srv"], full: true, ...EVERYTHING, exclude: ["*.o"] },
      },
      { name: "expiry", cron: "@daily", ...utc, task: { kind: "expire" } },
      {
        name: "checks",
        cron: "0 12 * * *",
        ...utc,
        task: { kind: "verify", data: true, parts: 30 },
      },
    ]);
    const text = `${CLIENT}schedules: { app: { cron: "0 * * * *", database: app } }\nstate: run\n`;
    const client = requireConfig(loadClientConfig(text, { file: FILE }));
    expect([client.state, client.schedules]).toEqual(["/etc/agent/run", [{
      name: "app",
      cron: "0 * * * *",
      ...utc,
      task: { kind: "backup-database", database: "app" },
    }]]);
    const plain = requireConfig(loadClientConfig(CLIENT, { file: FILE }));
    expect([plain.state, plain.schedules]).toEqual(["/var/lib/agent", []]);
  });

  test("loadServerConfig() reads drills: of each client, of one, and of a database", () => {
    const { schedules } = requireConfig(loadServerConfig(
      `${SERVER}schedules:
  each: { kind: drill, cron: "@weekly" }
  own: { kind: drill, cron: "@weekly", client: web01, sample: all }
  app: { kind: drill, cron: "@weekly", database: app, sample: 2.5%, scratch: tmp,
         identity_file: /run/key }
`,
      { file: FILE },
    ));
    const drill = { kind: "drill", database: null, scratch: null, identityFile: null } as const;
    expect(schedules.map(({ task }) => task)).toEqual([
      { ...drill, clients: ["web01", "db01"], sample: { entries: 1000 } },
      { ...drill, clients: ["web01"], sample: null },
      {
        kind: "drill",
        clients: [],
        database: "app",
        sample: { percent: 2.5 },
        scratch: "/etc/agent/tmp",
        identityFile: "/run/key",
      },
    ]);
  });

  test("schedules that could never run are refused, each with its key", () => {
    const schedule = (text: string, more = "") => `${SERVER}schedules: { s: { ${text} } }\n${more}`;
    const cron = 'cron: "30 2 * * *"';
    const good = `${cron}, client: web01, paths: [/srv]`;
    expect(problems(schedule(good))).toEqual([]);
    const bad: readonly (readonly [string, string])[] = [
      [good.replace("30 2", "61 2"), "schedules.s.cron: found .*minute: 61"],
      [good.replace("30 2 * * *", "0 30 2 * * *"), "schedules.s.cron: found .*need five fields"],
      [good.replace("30 2 * * *", "0 0 31 2 *"), "schedules.s.cron: found .*never comes"],
      [good.replace("30 2 * * *", "2026-12-24T00:00:00"), "schedules.s.cron: found .*no such"],
      [good.replace("30 2", "? 2"), "schedules.s.cron: found .*no such"],
      [good.replace("30 2 * * *", "@reboot"), "schedules.s.cron: found .*@reboot"],
      [`${good}, time_zone: Europe/Berln`, "schedules.s.time_zone: found .*time zone database"],
      [good.replace("web01", "web1"), 'schedules.s.client: found "web1"[^]*Did you mean "web01"'],
      [good.replace("/srv", "srv"), 'schedules.s.paths: Cannot back up "srv"'],
      [`${good}, exclude: ["["]`, 'schedules.s.exclude.0.: found "\\[" with a "\\[" without'],
      [`${good}, fulll: true`, "schedules.s.fulll: unknown key"],
      [`${cron}, kind: expiry`, "schedules.s.kind: .*need one of backup, expire, verify, drill"],
      [`kind: verify, ${cron}, parts: 0`, "schedules.s.parts: found 0, need at least 1"],
      [`${cron}, database: app`, "schedules.s.database: unknown key"],
      [`kind: drill, ${cron}, sample: 0`, "schedules.s.sample: found 0, need a count, a share or"],
      [`kind: drill, ${cron}, sample: 101%`, 'schedules.s.sample: found "101%", need a count'],
      [`kind: drill, ${cron}, client: web1`, 'schedules.s.client: found "web1"[^]*Did you mean'],
      [`kind: drill, ${cron}, client: web01, database: app`, "schedules.s.database: found both"],
      [`kind: drill, ${cron}, seed: 7`, "schedules.s.seed: unknown key"],
    ];
    for (const [text, expected] of bad) {
      expect([text, problems(schedule(text)).join("\n")]).toEqual([
        text,
        expect.stringMatching(new RegExp(expected)),
      ]);
    }
    expect(problems(`${SERVER}schedules: { "a b": { ${good} } }`).join()).toContain("the name");
    expect(problems(`${SERVER}jobs: { max_running: 0 }`).join()).toContain("jobs.max_running");
    const client = `${CLIENT}schedules: { s: { ${cron}, database: ap } }\n`;
    expect(problems(client).join()).toContain("need a name under databases\n  hint: Did you mean");
  });
});
