// Configuration files: the examples of the contract load with all defaults; every mistake is
// reported with its line, column, key, message and hint, and all of them at once.

import { describe, expect, test } from "bun:test";
import {
  formatProblem,
  loadClientConfig,
  loadConfigText,
  loadServerConfig,
  requireConfig,
} from "../../../../agent/config/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { EVERYTHING } from "../../../../agent/source_selection.ts";
import { CLIENT, FILE, problems, SERVER } from "./config_texts.ts";

describe("loadConfig", () => {
  test("loadServerConfig() fills defaults and resolves paths for the contract's example", () => {
    expect(requireConfig(loadServerConfig(SERVER, { file: FILE }))).toEqual({
      role: "server",
      file: FILE,
      name: "vault01",
      network: { listen: "127.0.0.1", port: 7430, dynamic: null },
      control: { kind: "unix", path: "/etc/agent/run/server.sock" },
      controlToken: null,
      tls: null,
      stgs: [{
        name: "stg0",
        host: 1,
        array: "/etc/agent/array",
        volumes: ["v0", "v1"],
        heartbeatMs: 1000,
        encrypt: false,
        deadTimeMs: 10000,
      }],
      jobs: { maxRunning: 8, maxQueued: 1000 },
      vault: "/etc/agent/vault",
      clients: [{
        name: "web01",
        address: "127.0.0.1",
        port: 7530,
        stg: "stg0",
        channel: "prefer-storage",
        waitMs: 5000,
        connections: 2,
        selection: EVERYTHING,
        fullEvery: null,
        allow: { backup: null, restore: null, overwrite: true },
      }],
      audit: "/etc/agent/vault/audit.jsonl",
      schedules: [],
      retention: { general: null, clients: [] },
    });
  });

  test("loadServerConfig() reads what the backups of a client leave out", () => {
    const keys = 'exclude: ["*.o", "!keep.o"], exclude_caches: true, one_file_system: true, ' +
      "exclude_larger_than: 100MiB, ignore_file: .agentignore";
    const text = SERVER.replace("connections: 2", `connections: 2, ${keys}`);
    expect(requireConfig(loadServerConfig(text, { file: FILE })).clients[0]?.selection).toEqual({
      exclude: ["*.o", "!keep.o"],
      excludeCaches: true,
      oneFileSystem: true,
      excludeLargerThan: 100 * 1024 * 1024,
      ignoreFile: ".agentignore",
    });
    const bad = 'exclude: ["*.o", "a["], exclude_larger_than: 5x, ignore_file: a/b';
    const result = loadServerConfig(SERVER.replace("connections: 2", bad), { file: FILE });
    expect(result.ok ? [] : result.problems.map(({ key, message }) => `${key}: ${message}`))
      .toEqual([
        'clients.web01.exclude[1]: found "a[" with a "[" without its "]", need a rule as in ' +
        ".gitignore",
        'clients.web01.exclude_larger_than: found "5x", need a size',
        'clients.web01.ignore_file: found "a/b", need a name',
      ]);
  });

  test("loadClientConfig() reads the socket of write-ahead logs, and none by default", () => {
    expect(requireConfig(loadClientConfig(CLIENT, { file: FILE })).walSocket).toBe(null);
    const socket = "wal_socket: { path: run/wal.sock }\n";
    expect(requireConfig(loadClientConfig(CLIENT + socket, { file: FILE })).walSocket)
      .toEqual({ path: "/etc/agent/run/wal.sock", user: "postgres" });
    const bad = loadClientConfig(`${CLIENT}wal_socket: { user: me }\n`, { file: FILE });
    expect(bad.ok ? [] : bad.problems.map(({ key }) => key)).toEqual(["wal_socket.path"]);
  });

  test("loadClientConfig() reads hooks, and none by default", () => {
    const none = requireConfig(loadClientConfig(CLIENT, { file: FILE }));
    expect(none.hooks).toEqual({ pre: null, post: null });
    const hooks = "hooks:\n  pre: { command: [bin/freeze, app], timeout: 10s }\n" +
      "  post: { command: [thaw] }\n";
    expect(requireConfig(loadClientConfig(CLIENT + hooks, { file: FILE })).hooks).toEqual({
      pre: { command: ["/etc/agent/bin/freeze", "app"], timeoutMs: 10_000, onFailure: "fail" },
      post: { command: ["thaw"], timeoutMs: 300_000, onFailure: "warn" },
    });
    const bad = "hooks:\n  pre: { command: thaw }\n  post: { command: [], on_failure: ignore }\n";
    const result = loadClientConfig(CLIENT + bad, { file: FILE });
    expect(result.ok ? [] : result.problems.map(({ key }) => key))
      .toEqual(["hooks.pre.command", "hooks.post.command", "hooks.post.on_failure"]);
  });

  test("loadServerConfig() reads general rules and those of a client, which replace them", () => {
    const text = SERVER.replace("connections: 2", "connections: 2, retention: { keep_last: 3 }") +
      "  db01: { address: 127.0.0.1, port: 7540, stg: stg0, retention: forever }\n" +
      "retention: { keep_daily: 7, keep_within: 30d }\n";
    const none = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, withinMs: 0 };
    expect(requireConfig(loadServerConfig(text, { file: FILE })).retention).toEqual({
      general: { ...none, daily: 7, withinMs: 30 * 86_400_000 },
      clients: [
        { client: "web01", retention: { ...none, last: 3 } },
        { client: "db01", retention: null },
      ],
    });
  });

  test("loadClientConfig() needs the server's name with tls, and a server here without", () => {
    const tls = "tls: { ca: a, cert: b, key: c }\n";
    const problems = (text: string): string => {
      const result = loadClientConfig(text, { file: FILE });
      return result.ok ? "" : result.problems.map(({ key, hint }) => `${key} ${hint}`).join("\n");
    };
    expect(problems(CLIENT + tls)).toMatch(/^server\.name Add the `name`/);
    const named = CLIENT.replace("server: {", "server: { name: vault01,");
    expect(problems(named + tls)).toBe("");
    const away = named.replace("address: 127.0.0.1, port: 7430", "address: fe80::1, port: 7430");
    expect(problems(away)).toMatch(/^server\.address .*agent pki init/);
    expect(problems(away + tls)).toBe("");
  });

  test("loadClientConfig() reads the three database kinds of the contract's example", () => {
    const config = requireConfig(loadClientConfig(CLIENT, { file: FILE }));
    expect(config.server).toEqual({
      name: null,
      address: "127.0.0.1",
      port: 7430,
      connections: 2,
    });
    expect(config.databases).toEqual([
      { name: "app", kind: "sqlite", path: "/etc/agent/data/app.db" },
      {
        name: "pg",
        kind: "postgresql",
        data: "/var/lib/postgresql/15/main",
        socket: "/var/run/postgresql",
        port: 5432,
        user: "postgres",
      },
      {
        name: "erp",
        kind: "command",
        backup: ["sh", "-c", "dump"],
        restore: ["sh", "-c", "load"],
        streams: 1,
        pipes: null,
      },
    ]);
    expect([config.spool, config.compression.level, config.allow.restore]).toEqual([
      "/var/tmp",
      3,
      null,
    ]);
  });

  test("what a client may be asked for is read on both sides, and refused when relative", () => {
    const keys = "allow_backup: [/srv], allow_restore: [/restored], allow_overwrite: false";
    const server = SERVER.replace("connections: 2", `connections: 2, ${keys}`);
    const allow = { backup: ["/srv"], restore: ["/restored"], overwrite: false };
    expect(requireConfig(loadServerConfig(server, { file: FILE })).clients[0]?.allow)
      .toEqual(allow);
    const own = (text: string) => loadClientConfig(CLIENT + text, { file: FILE });
    const lines = `${keys.replaceAll(", ", "\n")}\naudit: audit.jsonl\n`;
    const client = requireConfig(own(lines));
    expect([client.allow, client.audit]).toEqual([allow, "/etc/agent/audit.jsonl"]);
    expect(requireConfig(own("allow_restore: false\n")).allow.restore).toEqual([]);
    for (const bad of ["allow_backup: [srv]", "allow_restore: [/a/../b]", "allow_backup: []"]) {
      expect(() => requireConfig(own(`${bad}\n`))).toThrow();
    }
  });

  test("loadClientConfig() reads whom to encrypt for, and refuses what is no public key", () => {
    const key = `age1${"q".repeat(58)}`;
    const read = (text: string) => loadClientConfig(CLIENT + text, { file: FILE });
    expect(requireConfig(read("")).encryption).toEqual({
      recipients: [],
      recipientsFile: null,
      identityFile: null,
    });
    const all = `{ recipients: [${key}], recipients_file: r.txt, identity_file: /root/i.txt }`;
    expect(requireConfig(read(`encryption: ${all}\n`)).encryption).toEqual({
      recipients: [key],
      recipientsFile: "/etc/agent/r.txt",
      identityFile: "/root/i.txt",
    });
    const refusals = (text: string) => {
      const result = read(`encryption: ${text}\n`);
      return result.ok ? [] : result.problems.map((problem) => formatProblem("F", problem));
    };
    expect(refusals("{}").join()).toContain("encryption: found nothing in it");
    expect(refusals("").join()).toContain("encryption");
    expect(refusals("{ recipients: [] }").join()).toContain("encryption.recipients");
    expect(refusals("{ recipient: x }").join()).toContain("encryption.recipient");
    const secret = `AGE-SECRET-KEY-1${"Q".repeat(58)}`;
    const shown = refusals(`{ recipients: [${key}, ${secret}, ssh-ed25519] }`).join("\n");
    expect(shown).toMatch(/recipients\[1\].*a secret key[^]*recipients\[2\].*something else/);
    expect(shown).not.toContain("QQQ");
  });

  test("loadConfigText() takes the role from the content", () => {
    expect(requireConfig(loadConfigText(SERVER, { file: FILE })).role).toBe("server");
    expect(requireConfig(loadConfigText(CLIENT, { file: FILE })).role).toBe("client");
  });

  test("requireConfig() throws usage with every problem when there are some", () => {
    let thrown: unknown;
    try {
      requireConfig(loadConfigText("name: a\n", { file: FILE }));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AgentError);
    expect(String(thrown)).toContain(`${FILE}:1:1: found no key that tells the role`);
  });

  test("loadConfigText() reports all mistakes of a file at once, in its order", () => {
    const text = SERVER.replace("name: vault01", "nmae: vault01")
      .replace("port: 7430", "port: 74300")
      .replace("host: 1", "host: one")
      .replace("wait: 5s", "wait: 5")
      .replace("channel: prefer-storage", "channel: prefer-storge");
    expect(problems(text)).toEqual([
      'F:1:1: nmae: unknown key "nmae", need one of name, network, control, control_token, tls, ' +
      'stgs, jobs, vault, clients, retention, schedules, audit\n  hint: Did you mean "name"?',
      "F:1:1: name: missing, need a text\n  hint: Add the key.",
      "F:2:37: network.port: found 74300, need at most 65535",
      'F:5:25: stgs[0].host: found "one", need a number',
      'F:8:64: clients.web01.channel: found "prefer-storge", need one of prefer-storage, ' +
      'storage-only, network-only\n  hint: Did you mean "prefer-storage"?',
      "F:8:85: clients.web01.wait: found 5, need a duration of 0ms to 600s\n" +
      "  hint: Write a number with its unit, for example 5s.",
    ]);
  });
});

/** [what, replace, by, expected beginnings of the problem lines] on the server's example. */
const SERVER_CASES: readonly (readonly [string, string, string, readonly string[]])[] = [
  ["unknown key in a part", "listen:", "lisen:", ['F:2:12: network.lisen: unknown key "lisen"']],
  ["duplicate key", "vault: vault", "vault: a\nvault: b", ["F:7:1: the same key stands twice"]],
  ["syntax error", "[v0, v1]", "[v0, v1", ["F:5:59: no valid YAML", "F:"]],
  ["unresolved alias", "vault: vault", "vault: *x", ["F:1:1: no valid YAML: Unresolved alias"]],
  ["list instead of map", "network: { listen: 127.0.0.1, port: 7430 }", "network: [1]", [
    "F:2:10: network: found a list of 1, need a map of keys",
  ]],
  ["nothing instead of map", "network: { listen: 127.0.0.1, port: 7430 }", "network:", [
    "F:2:9: network: found nothing, need a map of keys",
  ]],
  ["no peer elsewhere without tls", "web01: { address: 127.0.0.1", "web01: { address: 10.0.0.7", [
    "F:8:21: clients.web01.address: found 10.0.0.7 without tls, need a loopback",
  ]],
  ["no listening to others without tls", "listen: 127.0.0.1", "listen: 0.0.0.0", [
    "F:2:20: network.listen: found 0.0.0.0 without tls, need a loopback address",
  ]],
  ["control of another scheme", "unix:run/server.sock", "tcp:1", [
    'F:3:10: control: found "tcp:1", need unix:PATH or http://HOST:PORT',
  ]],
  ["control by http without token", "unix:run/server.sock", "http://127.0.0.1:7440", [
    "F:3:10: control: found http without control_token",
  ]],
  [
    "control on the WKP",
    "unix:run/server.sock",
    "http://127.0.0.1:7430\ncontrol_token: t",
    ["F:3:10: control: found port 7430, need one outside 7430"],
  ],
  ["control path too long", "run/server.sock", "a".repeat(108), [
    "F:3:10: control: found a socket path of 119 bytes, need at most 107",
  ]],
  ["dynamic range over the WKP", "port: 7430", "port: 7430, dynamic: 7000-8000", [
    "F:2:52: network.dynamic: found a range that contains port 7430",
  ]],
  ["dynamic range backwards", "port: 7430", "port: 7430, dynamic: 8000-7000", [
    'F:2:52: network.dynamic: found "8000-7000", need a range of at least 16 ports',
  ]],
  ["host id too large", "host: 1", "host: 65", ["F:5:25: stgs[0].host: found 65, need at most 64"]],
  ["no volumes", "[v0, v1]", "[]", ["F:5:51: stgs[0].volumes: found a list of 0, need at least 1"]],
  ["volume twice", "[v0, v1]", "[v0, v0]", [
    'F:5:56: stgs[0].volumes[1]: found "v0" a second time',
  ]],
  ["device in an array", "[v0, v1]", "[/dev/sda]", [
    'F:5:52: stgs[0].volumes[0]: found "/dev/sda", need the name of a volume of the array',
  ]],
  ["array forgotten", "array: array, ", "", [
    'F:5:38: stgs[0].volumes[0]: found "v0", need an absolute path',
    'F:5:42: stgs[0].volumes[1]: found "v1", need an absolute path',
  ]],
  [
    "device in two groups",
    "array: array, volumes: [v0, v1] }",
    "volumes: [/dev/sda] }\n  - { name: stg1, host: 1, volumes: [/dev/sdb, /dev/sda] }",
    [
      'F:6:48: stgs[1].volumes[1]: found "/dev/sda", which group "stg0" has, need a device of its own',
    ],
  ],
  ["dead time too short", "array: array", "array: array, dead_time: 2s", [
    "F:5:53: stgs[0].dead_time: found 2000ms, need at least 3000ms",
  ]],
  [
    "group twice",
    "vault: vault",
    "  - { name: stg0, host: 1, volumes: [/dev/sda] }\nvault: vault",
    ['F:6:13: stgs[1].name: found "stg0" a second time'],
  ],
  ["group not defined", "stg: stg0", "stg: stg1", [
    'F:8:49: clients.web01.stg: found "stg1", need the name of a group under stgs\n' +
    '  hint: Did you mean "stg0"?',
  ]],
  ["no group", "stg: stg0, ", "", ["F:8:10: clients.web01.stg: missing, need the name of a group"]],
  ["connections", "connections: 2", "connections: 3", [
    "F:9:25: clients.web01.connections: found 3, need one of 1, 2",
  ]],
  ["client on the server's port", "port: 7530", "port: 7429", [
    "F:8:38: clients.web01.port: found 7429, need one outside 7430",
  ]],
  ["client's WKP + 1 out of range", "port: 7530", "port: 65535", [
    "F:8:38: clients.web01.port: found 65535, need at most 65534",
  ]],
  ["unknown rule", "vault: vault", "vault: vault\nretention: { keep_last: 3, keep_dayly: 7 }", [
    'F:7:28: retention.keep_dayly: unknown key "keep_dayly", need one of keep_last, keep_daily, ' +
    'keep_weekly, keep_monthly, keep_yearly, keep_within\n  hint: Did you mean "keep_daily"?',
  ]],
  ["bad rules", "vault: vault", "vault: vault\nretention: { keep_last: 0, keep_within: 3 }", [
    "F:7:25: retention.keep_last: found 0, need at least 1",
    "F:7:41: retention.keep_within: found 3, need a duration of 1h to 36500d\n  hint: Write 30d",
  ]],
  ["no rule", "vault: vault", "vault: vault\nretention: {}", [
    "F:7:12: retention: found no rule, need at least one\n  hint: Add for example keep_daily: 7",
  ]],
  ["no rules of a client", "connections: 2", "connections: 2, retention: never", [
    'F:9:39: clients.web01.retention: found "never", need keep_… rules or forever',
  ]],
  ["client's bad name", "web01:", "../x:", ['F:8:3: clients.../x: found the name "../x"']],
];

describe("loadConfigText() of a server", () => {
  for (const [what, from, to, expected] of SERVER_CASES) {
    test(`refuses: ${what}`, () => {
      expect(SERVER).toContain(from);
      const found = problems(SERVER.replace(from, to));
      expect(found.length).toBe(expected.length);
      for (const [index, beginning] of expected.entries()) {
        expect(found[index]?.slice(0, beginning.length)).toBe(beginning);
      }
    });
  }

  test("refuses a second client on WKP + 1 of the first", () => {
    const second = SERVER + "  web02: { address: 127.0.0.1, port: 7531, stg: stg0 }\n";
    expect(problems(second)).toEqual([
      "F:10:38: clients.web02.port: found 7531, need one apart from 7530 and 7531 of client " +
      '"web01" at the same address\n  hint: Leave two ports for each client.',
    ]);
  });

  test("accepts a client of network-only without a group", () => {
    expect(problems(SERVER.replace("stg: stg0, channel: prefer-storage", "channel: network-only")))
      .toEqual([]);
  });
});
