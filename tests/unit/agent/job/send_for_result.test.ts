// Whose account of a failure wins while records are sent: the peer's, if it comes in time.

import { describe, expect, test } from "bun:test";
import { TELL_TIMEOUT_MS } from "../../../../agent/job/limits.ts";
import { sendForResult } from "../../../../agent/job/send_for_result.ts";
import { AgentError } from "../../../../transport/ground/mod.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";

const FULL = new AgentError("no_space", "Cannot write: the vault is full");
const BROKEN = new AgentError("reset", "Cannot send: the connection broke");

describe("sendForResult()", () => {
  test("gives the peer's result after everything is sent", async () => {
    const clock = new HandClock();
    let sent = 0;
    const send = () => Promise.resolve(void (sent = 3));
    expect(await sendForResult({ clock, result: Promise.resolve("done") }, send)).toBe("done");
    expect(sent).toBe(3);
  });

  test("throws the peer's reason when it comes after the connection broke", async () => {
    const clock = new HandClock();
    const peer = Promise.withResolvers<string>();
    const outcome = failure(() =>
      sendForResult({ clock, result: peer.promise }, () => Promise.reject(BROKEN))
    );
    await clock.until(TELL_TIMEOUT_MS, 1);
    peer.reject(FULL);
    expect(await outcome).toBe(FULL);
  });

  test("throws the peer's reason when the connection broke because of it", async () => {
    const clock = new HandClock();
    const peer = Promise.withResolvers<string>();
    const outcome = sendForResult({ clock, result: peer.promise }, async (failed) => {
      peer.reject(FULL);
      while (!failed.aborted) await Promise.resolve();
    });
    expect(await failure(() => outcome)).toBe(FULL);
  });

  test("throws its own error when the peer stays silent", async () => {
    const clock = new HandClock();
    const result = new Promise<string>(() => {});
    const outcome = failure(() => sendForResult({ clock, result }, () => Promise.reject(BROKEN)));
    await clock.ring(TELL_TIMEOUT_MS);
    expect(await outcome).toBe(BROKEN);
  });

  test("throws an error of the source at once", async () => {
    const clock = new HandClock();
    const result = new Promise<string>(() => {});
    const unreadable = new AgentError("failed", "Cannot read the source");
    const outcome = failure(() =>
      sendForResult({ clock, result }, () => Promise.reject(unreadable))
    );
    expect(await outcome).toBe(unreadable);
  });
});
