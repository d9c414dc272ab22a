// What several connections bring, in one order, with one listener for each message.

import { describe, expect, test } from "bun:test";
import { LinkConn } from "../../../../agent/job/link_conn.ts";
import { LinkInbox } from "../../../../agent/job/link_inbox.ts";
import { AgentError } from "../../../../transport/mod.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";

const at = (port: number) => ({ family: "AF_MEMORY", address: "test", port } as const);
const NEVER = new AbortController().signal;
const OPTIONS = { signal: NEVER };

/** Counts how often it was asked to receive. */
class CountedConn extends LinkConn {
  begun = 0;

  override begin(options: typeof OPTIONS) {
    this.begun += 1;
    return super.begin(options);
  }
}

function pair(port: number): { readonly far: LinkConn; readonly near: CountedConn } {
  const [far, near] = memoryPair(at(port), at(9));
  return { far: new LinkConn(far), near: new CountedConn(near) };
}

const ALIVE = { type: "alive", busy: false } as const;

describe("LinkInbox", () => {
  test("listens once to a silent connection, whatever the others bring", async () => {
    const [silent, busy] = [pair(1), pair(2)];
    const inbox = new LinkInbox();
    for (let message = 0; message < 20; message++) {
      await busy.far.sendDocument(ALIVE, OPTIONS);
      for (const { near } of [silent, busy]) inbox.listen(near, OPTIONS);
      const { from } = await inbox.next(NEVER);
      expect(from).toBe(busy.near);
      from.pending = null;
    }
    expect([silent.near.begun, busy.near.begun]).toEqual([1, 20]);
  });

  test("brings a failure once, with its connection", async () => {
    const { far, near } = pair(1);
    const inbox = new LinkInbox();
    inbox.listen(near, OPTIONS);
    far.conn.abort("the test says so");
    const arrival = await inbox.next(NEVER);
    expect([arrival.from, "failure" in arrival]).toEqual([near, true]);
    inbox.listen(near, OPTIONS);
    expect(near.begun).toBe(1);
  });

  test("ends with the signal, also when something is here", async () => {
    const { far, near } = pair(1);
    const inbox = new LinkInbox();
    const stop = new AbortController();
    const waiting = inbox.next(stop.signal);
    stop.abort(new AgentError("timeout", "Cannot wait longer"));
    await expect(waiting).rejects.toThrow("Cannot wait longer");
    await far.sendDocument(ALIVE, OPTIONS);
    inbox.listen(near, OPTIONS);
    await near.pending;
    await expect(inbox.next(stop.signal)).rejects.toThrow("Cannot wait longer");
  });
});
