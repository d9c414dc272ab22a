// The watch of a job's network: when it speaks, when it gives up, and what does not count; then a
// link whose network carries nothing any more.

import { describe, expect, test } from "bun:test";
import {
  NETWORK_BEAT_MOMENTS,
  NETWORK_MOMENT_MS,
  NETWORK_SILENCE_MOMENTS,
} from "../../../../agent/job/limits.ts";
import { NetworkWatch } from "../../../../agent/job/network_watch.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";
import { dataRecord, linkBed } from "./link_bed.ts";

function pass(watch: NetworkWatch, moments: number, listening = true): string[] {
  return Array.from({ length: moments }, () => watch.moment(listening, 0));
}

describe("NetworkWatch", () => {
  test("speaks in even steps, and is silent only after the whole time", () => {
    const watch = new NetworkWatch();
    const verdicts = pass(watch, NETWORK_SILENCE_MOMENTS);
    const spoken = verdicts.filter((one) => one === "speak").length;
    expect(spoken).toBe(Math.floor(NETWORK_SILENCE_MOMENTS / NETWORK_BEAT_MOMENTS));
    expect(verdicts).not.toContain("silent");
    expect(watch.moment(true, 0)).toBe("silent");
  });

  test("a word starts the time anew", () => {
    const watch = new NetworkWatch();
    for (let turn = 0; turn < 3; turn++) {
      expect(pass(watch, NETWORK_SILENCE_MOMENTS)).not.toContain("silent");
      watch.heard();
    }
  });

  test("moments in which nobody listens do not count", () => {
    const watch = new NetworkWatch();
    expect(pass(watch, 10 * NETWORK_SILENCE_MOMENTS, false)).not.toContain("silent");
  });

  test("a message that is long on its way is no silence", () => {
    const watch = new NetworkWatch();
    const verdicts = Array.from({ length: 100 }, (_, moment) => watch.moment(true, 9 * moment));
    expect(verdicts).not.toContain("silent");
  });

  test("a busy peer may be silent until its next word", () => {
    const watch = new NetworkWatch();
    watch.heard(true);
    expect(pass(watch, 10 * NETWORK_SILENCE_MOMENTS)).not.toContain("silent");
    watch.heard();
    expect(pass(watch, NETWORK_SILENCE_MOMENTS + 1)).toContain("silent");
  });
});

describe("JobLink.watchNetwork()", () => {
  const moment = async (clock: HandClock, ends: number) => {
    await clock.until(NETWORK_MOMENT_MS, ends);
    await clock.ring(NETWORK_MOMENT_MS);
  };

  test("two ends that have nothing to say keep each other", async () => {
    const clock = new HandClock();
    const { near, far } = linkBed(3, { clock });
    near.watchNetwork();
    far.watchNetwork();
    const [waits, receiving] = [near.receive(), far.receive()];
    for (let turn = 0; turn < 3 * NETWORK_SILENCE_MOMENTS; turn++) await moment(clock, 2);
    await near.sendData(dataRecord(0));
    expect((await receiving).kind).toBe("data");
    await far.send({ type: "started", backup: "b" });
    expect((await waits).kind).toBe("document");
    await Promise.all([near.finish(), far.finish()]);
  });

  test("a network that carries nothing ends the job, although the storage lives", async () => {
    const clock = new HandClock();
    const { near, far, pairs } = linkBed(3, { clock });
    near.watchNetwork();
    for (const [conn] of pairs.slice(0, 2)) conn.read = () => new Promise(() => {});
    const receiving = failure(() => near.receive());
    for (let turn = 0; turn <= NETWORK_SILENCE_MOMENTS; turn++) await moment(clock, 1);
    const error = await receiving;
    expect(error.code).toBe("unreachable");
    expect((await failure(() => near.sendData(dataRecord(0)))).code).toBe("unreachable");
    const told = far.receive();
    await near.fail({ code: "unreachable", message: error.message });
    expect((await told).kind).toBe("document");
  });

  test("a set-up that takes longer than a silence lasts ends neither side", async () => {
    const clock = new HandClock();
    const { near, far } = linkBed(2, { clock });
    near.watchNetwork();
    far.watchNetwork();
    const asked = far.receive();
    const { promise, resolve } = Promise.withResolvers<string>();
    const settingUp = near.meanwhile(() => promise);
    for (let turn = 0; turn < 3 * NETWORK_SILENCE_MOMENTS; turn++) await moment(clock, 2);
    resolve("set up");
    expect(await settingUp).toBe("set up");
    await near.send({ type: "started", backup: "b" });
    expect((await asked).kind).toBe("document");
    await Promise.all([near.finish(), far.finish()]);
  });
});
