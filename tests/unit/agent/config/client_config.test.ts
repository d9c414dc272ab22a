// Mistakes in a client's configuration: each is reported with its line, column, key, message, hint.

import { describe, expect, test } from "bun:test";
import { CLIENT, problems } from "./config_texts.ts";

const CLIENT_CASES: readonly (readonly [string, string, string, string])[] = [
  [
    "unknown database kind",
    "kind: sqlite",
    "kind: sqlit",
    "F:7:16: databases.app.kind: found " +
    '"sqlit", need one of sqlite, postgresql, command\n  hint: Did you mean "sqlite"?',
  ],
  [
    "database key of another kind",
    "data/app.db",
    "a, user: x",
    "F:7:33: databases.app.user: " +
    'unknown key "user", need one of kind, path',
  ],
  [
    "pipes that no word names",
    "kind: command,",
    "kind: command, through: pipes, streams: 2,",
    "F:10:8: databases.erp: found no {pipe1} in backup, need it in one of its words",
  ],
  [
    "streams that no word tells apart",
    "kind: command,",
    "kind: command, streams: 2,",
    "F:10:8: databases.erp: found no {stream} in backup, need it in one of its words",
  ],
  [
    "owner of pipes without any",
    "kind: command,",
    "kind: command, pipe_owner: sybase,",
    "F:10:8: databases.erp: found pipe_owner, need through: pipes with it",
  ],
  ["empty command", '[sh, -c, "dump"]', "[]", "F:10:33: databases.erp.backup: found a list of 0"],
  [
    "server on WKP + 1",
    "port: 7430",
    "port: 7531",
    "F:4:37: server.port: found 7531, need one " +
    "outside 7530-7531",
  ],
  [
    "port without a next one",
    "port: 7530",
    "port: 65535",
    "F:2:37: network.port: found 65535, " +
    "need at most 65534",
  ],
  ["server missing", "server:", "srever:", "F:1:1: server: missing, need a map of keys"],
  ["vault in a client", "name: web01", "name: web01\nvault: x", "F:1:1: found keys of a server"],
];

describe("loadConfigText() of a client", () => {
  for (const [what, from, to, beginning] of CLIENT_CASES) {
    test(`refuses: ${what}`, () => {
      expect(CLIENT).toContain(from);
      const found = problems(CLIENT.replace(from, to));
      expect(found[0]?.slice(0, beginning.length)).toBe(beginning);
    });
  }
});
