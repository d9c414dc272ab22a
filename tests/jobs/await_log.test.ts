// A base backup whose client ends while the server waits for the cluster's log: nobody publishes.
// The client is a stand-in that has sent everything; the cluster has archived nothing.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { runClientDatabase } from "../../agent/client/mod.ts";
import { sendBackup, WarningQueue } from "../../agent/client/send_backup.ts";
import type { DatabaseEntry } from "../../agent/config/mod.ts";
import { finishLink, groupOf, JobLink, NOT_CONFIGURED } from "../../agent/job/mod.ts";
import { LOG_LOOK_MS } from "../../agent/server/limits.ts";
import { connectDatabase } from "../../transport/flow/mod.ts";
import { SYSTEM } from "../unit/agent/wal/wal_fixture.ts";
import { runtime } from "../unit/transport/flow/flow_bed.ts";
import { clockThat } from "./clock_that.ts";
import { DatabaseBed } from "./database_bed.ts";

const LIMIT_MS = 60_000;
const DATABASE: DatabaseEntry = {
  name: "pg",
  kind: "postgresql",
  data: "/var/lib/pg",
  socket: "/run/postgresql",
  port: 5432,
  user: "postgres",
};
const RANGE = {
  system: SYSTEM,
  timeline: 1,
  startLsn: "1/300028",
  stopLsn: "1/300138",
  stopMs: 1_800_000_000_000,
  segmentBytes: 1024 * 1024,
  archived: true,
} as const;

/** A client whose cluster has nothing but a range of its log. */
const runClient: typeof runClientDatabase = async (session, task, prove) => {
  const connection = await connectDatabase(session.flow(), {
    server: task.server,
    listen: task.listen,
    identity: session.identity,
    group: (name) => groupOf(task.stgs[name] ?? NOT_CONFIGURED, "client", session.runtime),
    random: session.runtime.random,
    prove,
  });
  const { clock } = session.runtime;
  const control = session.layer.conn(connection.descriptor);
  const link = new JobLink({ control, errors: null }, { signal: session.signal, clock });
  return await finishLink(session, link, async () => {
    const { name, kind } = task.database;
    await link.send({ type: "backup-database", database: name, kind, path: "/pg", streams: 1 });
    for (let isStarted = false; !isStarted;) {
      const message = await link.receive();
      isStarted = message.kind === "document" && message.document.type === "started";
    }
    return await sendBackup(session, {
      link,
      warnings: new WarningQueue(),
      parent: null,
      prepare: () => {
        // deno-lint-ignore require-yield
        const producer = function* () {
          return { files: 0, bytes: 0 };
        };
        const totals = { totalFiles: 0, totalBytes: 0 };
        const range = () => RANGE;
        return Promise.resolve({ producer: producer(), totals, range, level: 1, sealer: null });
      },
    });
  });
};

let bed: DatabaseBed;

beforeEach(async () => {
  bed = await DatabaseBed.open();
  bed.runClient = runClient;
});

afterEach(() => bed[Symbol.asyncDispose]());

/** Backs up, and does this once the server waits for the log. */
function backUp(meanwhile: () => void) {
  let looks = 0;
  const watched = clockThat((ms) => {
    if (ms === LOG_LOOK_MS && ++looks === 1) meanwhile();
    return ms;
  });
  bed.clocks = [watched, runtime.clock];
  return bed.run(DATABASE, { type: "backup" });
}

describe("a base backup whose log is awaited", () => {
  for (const channel of ["storage-only", "network-only"] as const) {
    test(`publishes nothing when its client is cancelled, over ${channel}`, async () => {
      bed.channel = channel;
      const [server, client] = await backUp(() => bed.cancel("client"));
      const codes = [server, client].map(({ error }) => (error as { code?: string } | null)?.code);
      expect(codes).toEqual(["cancelled", "cancelled"]);
      expect(bed.backups()).toEqual([]);
    }, LIMIT_MS);
  }
});
