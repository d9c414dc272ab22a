// The desk where a client's daemon takes requests for write-ahead logs.

import { describe, expect, test } from "bun:test";
import { type LogCarrier, WalDesk } from "../../../../agent/client/wal_desk.ts";
import { WAL_REQUEST_MS, WAL_REQUESTS_MAX } from "../../../../agent/client/limits.ts";
import { Job, type WalAnswer, type WalRequest } from "../../../../agent/job/mod.ts";
import type { ErrorRecord } from "../../../../transport/ground/error.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";

const NAME = "000000010000000000000001";
const GET = { type: "get", system: "7", name: NAME } as const;

/** A carrier that a test answers by hand. */
class HandCarrier implements LogCarrier {
  onWalAnswer: (id: number, answer: WalAnswer) => void = () => {};
  readonly job = new Job({
    id: "j",
    kind: "archive-wal",
    client: "web01",
    request: null,
    createdMs: 0,
    startedMs: 0,
  });
  readonly asked: WalRequest[] = [];
  readonly #ended = Promise.withResolvers<void>();
  readonly ended = this.#ended.promise;
  cancelled = false;

  askWal(request: WalRequest): void {
    this.asked.push(request);
  }

  cancel(): void {
    this.cancelled = true;
  }

  answer(answer: WalAnswer, index = this.asked.length - 1): void {
    this.onWalAnswer(this.asked[index]?.id ?? 0, answer);
  }

  end(error: ErrorRecord): void {
    const channels = { network: { bytes: 0 }, storage: { bytes: 0 } };
    this.job.end({ state: "failed", backup: null, files: 0, bytes: 0, channels, error }, 0);
    this.#ended.resolve();
  }
}

function desk() {
  const carriers: HandCarrier[] = [];
  const clock = new HandClock();
  const made = new WalDesk({
    clock,
    start: () => {
      const carrier = new HandCarrier();
      carriers.push(carrier);
      return carrier;
    },
  });
  return { desk: made, carriers, clock };
}

const GONE = { code: "reset", message: "the connection ended" } as const;

/** Lets everything that is ready run. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) await Promise.resolve();
}

describe("WalDesk", () => {
  test("one standing job answers request after request, each its own", async () => {
    const { desk: made, carriers } = desk();
    const [first, second] = [made.ask("pg", GET), made.ask("pg", { ...GET, name: "other" })];
    carriers[0]?.answer({ type: "absent" }, 1);
    carriers[0]?.answer({ type: "file", frame: new Uint8Array([1]) }, 0);
    expect(await second).toEqual({ type: "absent" });
    expect((await first).type).toBe("file");
    void made.ask("pg", GET);
    expect(carriers.length).toBe(1);
    void made.ask("other", GET);
    expect(carriers.length).toBe(2);
  });

  test("asks once more when a connection that stood has ended, and not when none came", async () => {
    const { desk: made, carriers } = desk();
    const none = made.ask("pg", GET);
    carriers[0]?.end({ code: "unreachable", message: "no server" });
    await expect(none).rejects.toMatchObject({ code: "unreachable" });
    const first = made.ask("pg", GET);
    carriers[1]?.answer({ type: "absent" });
    await first;
    const cut = made.ask("pg", GET);
    carriers[1]?.end(GONE);
    await turns();
    expect(carriers.length).toBe(3);
    carriers[2]?.answer({ type: "absent" });
    expect(await cut).toEqual({ type: "absent" });
  });

  test("gives up a connection that does not answer, and tells what the server refuses", async () => {
    const { desk: made, carriers, clock } = desk();
    const refused = made.ask("pg", GET);
    carriers[0]?.answer({ type: "refused", error: { code: "no_space", message: "full" } });
    await expect(refused).rejects.toMatchObject({ code: "no_space" });
    const slow = made.ask("pg", GET);
    await clock.ring(WAL_REQUEST_MS);
    await expect(slow).rejects.toMatchObject({ code: "timeout" });
    expect(carriers[0]?.cancelled).toBe(true);
    void made.ask("pg", GET);
    expect(carriers.length).toBe(2);
  });

  test("holds a few files at once, no more", async () => {
    const { desk: made } = desk();
    for (let count = 0; count < WAL_REQUESTS_MAX; count += 1) void made.ask("pg", GET);
    await expect(made.ask("pg", GET)).rejects.toMatchObject({ code: "busy" });
  });
});
