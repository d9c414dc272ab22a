// Where a storage set-up meets its job: either order, wrong token, limits, expiry.

import { describe, expect, test } from "bun:test";
import { SETUP_WAIT_MAX, SETUP_WAIT_MS } from "../../../../agent/client/limits.ts";
import { SetupRoom } from "../../../../agent/client/setup_room.ts";
import type { Hello, StorageSetup } from "../../../../transport/flow/mod.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";

const TOKEN = "ab".repeat(16);

function hello(job: string): Hello {
  return {
    type: "hello",
    versionMin: 1,
    versionMax: 1,
    job,
    token: TOKEN,
    name: "vault01",
    connections: 2,
    connection: 1,
  };
}

function setup(job: string, token = TOKEN): StorageSetup {
  const message = { type: "stg", name: "stg0", uuid: "u", volumeUuids: [], job, token } as const;
  return { message, descriptor: 9, steps: [] };
}

function bed() {
  const clock = new HandClock();
  const abandoned: StorageSetup[] = [];
  const handled: StorageSetup[] = [];
  const room = new SetupRoom(clock, (one) => abandoned.push(one));
  const handler = (one: StorageSetup) => void handled.push(one);
  return { clock, room, abandoned, handled, handler };
}

describe("SetupRoom", () => {
  test("gives a set-up to its job, whichever comes first", () => {
    const { room, handled, handler, clock, abandoned } = bed();
    const [early, late, other] = [setup("one"), setup("one"), setup("two")];
    room.bring(early);
    room.bring(other);
    room.enter(hello("one"), handler);
    room.bring(late);
    expect(handled).toEqual([early, late]);
    expect(handled[0]).toBe(early);
    expect(abandoned).toEqual([]);
    expect(clock.sleeping).toEqual([SETUP_WAIT_MS]);
  });

  test("refuses another token when the job is here, abandons it when the job comes", async () => {
    const { room, handled, handler, abandoned } = bed();
    const wrong = setup("one", "cd".repeat(16));
    room.bring(wrong);
    room.enter(hello("one"), handler);
    expect(abandoned).toEqual([wrong]);
    expect((await failure(() => room.bring(wrong))).code).toBe("auth");
    expect(handled).toEqual([]);
  });

  test("abandons a set-up whose job does not come in time", async () => {
    const { room, clock, abandoned, handled, handler } = bed();
    const one = setup("one");
    room.bring(one);
    await clock.ring(SETUP_WAIT_MS);
    await Promise.resolve();
    expect(abandoned).toEqual([one]);
    room.enter(hello("one"), handler);
    expect(handled).toEqual([]);
    expect(clock.sleeping).toEqual([]);
  });

  test("throws busy when SETUP_WAIT_MAX wait, until one is taken", async () => {
    const { room, handler } = bed();
    for (let index = 0; index < SETUP_WAIT_MAX; index++) room.bring(setup(`job${index}`));
    expect((await failure(() => room.bring(setup("more")))).code).toBe("busy");
    room.enter(hello("job0"), handler);
    room.bring(setup("more"));
  });

  test("a job that left takes no more", () => {
    const { room, handled, handler, clock } = bed();
    room.enter(hello("one"), handler);
    room.leave(hello("one"));
    room.bring(setup("one"));
    expect(handled).toEqual([]);
    expect(clock.sleeping).toEqual([SETUP_WAIT_MS]);
  });

  test("clear() abandons all that wait, once, and stops their timers", () => {
    const { room, abandoned, clock } = bed();
    const both = [setup("one"), setup("two")];
    for (const one of both) room.bring(one);
    room.clear();
    room.clear();
    expect(abandoned).toEqual(both);
    expect(clock.sleeping).toEqual([]);
  });
});
