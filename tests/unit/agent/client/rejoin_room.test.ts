// Who may continue a job over other connections: only its own server, with its token, and later
// than any connections before.

import { describe, expect, test } from "bun:test";
import { RejoinRoom } from "../../../../agent/client/rejoin_room.ts";
import type { FileSystemSession, Hello } from "../../../../transport/flow/mod.ts";
import { failure } from "../../transport/connect/failure.ts";

const HELLO: Hello = {
  type: "hello",
  versionMin: 1,
  versionMax: 2,
  job: "one",
  token: "ab".repeat(16),
  name: "vault01",
  connections: 2,
  connection: 1,
};

function session(change: Partial<Hello> = {}): FileSystemSession {
  return { hello: { ...HELLO, ...change }, control: 7, errors: 8, steps: [], version: 2 };
}

function bed() {
  const room = new RejoinRoom();
  const taken: number[] = [];
  const handler = ({ hello }: FileSystemSession) => void taken.push(hello.connection);
  room.enter(session(), { peerName: "vault01", handler });
  return { room, taken };
}

describe("RejoinRoom", () => {
  test("gives connections with higher numbers to their job", () => {
    const { room, taken } = bed();
    for (const connection of [2, 5, 6]) {
      room.admit({ ...HELLO, connection }, "vault01");
      room.bring(session({ connection }), "vault01");
    }
    expect(taken).toEqual([2, 5, 6]);
  });

  const strangers = [
    ["another job", { job: "two" }, "vault01"],
    ["another token", { token: "cd".repeat(16) }, "vault01"],
    ["another certificate", {}, "vault02"],
    ["no certificate", {}, undefined],
    ["a number that was used", { connection: 3 }, "vault01"],
    ["a number below one that was used", { connection: 2 }, "vault01"],
  ] as const;
  for (const [what, change, peerName] of strangers) {
    test(`refuses ${what}, in the same words`, async () => {
      const { room, taken } = bed();
      room.bring(session({ connection: 3 }), "vault01");
      const late = session({ connection: 4, ...change });
      const runs = [room.admit.bind(room, late.hello), room.bring.bind(room, late)];
      for (const run of runs) {
        const error = await failure(() => run(peerName));
        expect([error.code, error.message]).toEqual([
          "auth",
          `Cannot go on with job "${late.hello.job}": it does not run here, or these are not its ` +
          "connections",
        ]);
      }
      expect(taken).toEqual([3]);
    });
  }

  test("refuses a job that is over", async () => {
    const { room } = bed();
    room.leave(HELLO);
    expect((await failure(() => room.admit({ ...HELLO, connection: 2 }, "vault01"))).code)
      .toBe("auth");
  });
});
