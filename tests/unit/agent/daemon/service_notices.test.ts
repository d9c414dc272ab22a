// What a supervisor is told, by a socket that keeps what it got, and when its watchdog gets a sign.

import { describe, expect, test } from "bun:test";
import { ServiceNotices, watchdogMs } from "../../../../agent/service_notices.ts";
import { currentRuntime, SystemError } from "../../../../transport/runtime/mod.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";

const runtime = await currentRuntime();

function bed(env: Readonly<Record<string, string>>, fails = false) {
  const sent: string[] = [];
  const logged: string[] = [];
  const clock = new HandClock();
  const notices = new ServiceNotices({
    clock,
    process: { ...runtime.process, pid: 7, env: (name) => env[name] },
    sendLocal: (name, bytes) => {
      if (fails) throw new SystemError("ENOENT", "connect", name);
      sent.push(`${name} ${new TextDecoder().decode(bytes)}`);
    },
  }, (level, message) => logged.push(`${level} ${message}`));
  return { notices, sent, logged, clock };
}

describe("ServiceNotices", () => {
  test("says what the daemon does, with a status of one line", () => {
    const { notices, sent } = bed({ NOTIFY_SOCKET: "@n" });
    notices.say("ready", "ready on\n127.0.0.1:7430");
    notices.say("reloading", "reads");
    notices.say("stopping", "x".repeat(1000));
    expect(sent.slice(0, 2)).toEqual([
      "@n READY=1\nSTATUS=ready on 127.0.0.1:7430\n",
      "@n RELOADING=1\nSTATUS=reads\n",
    ]);
    expect(sent[2]?.length).toBe("@n STOPPING=1\nSTATUS=\n".length + 400);
  });

  test("tells nobody without a supervisor, and goes on without a socket that works", () => {
    const alone = bed({});
    alone.notices.say("ready", "ready");
    expect(alone.sent).toEqual([]);
    const broken = bed({ NOTIFY_SOCKET: "/gone" }, true);
    broken.notices.say("ready", "ready");
    broken.notices.say("stopping", "stops");
    expect(broken.logged).toEqual(["warning cannot tell NOTIFY_SOCKET: connect /gone: ENOENT"]);
  });

  test("gives a sign of life at half of the time that is waited, until the end", async () => {
    const { notices, sent, clock } = bed({ NOTIFY_SOCKET: "@n", WATCHDOG_USEC: "3000000" });
    const end = new AbortController();
    const alive = notices.keepAlive(end.signal);
    for (let beat = 0; beat < 3; beat++) await clock.ring(1500);
    await clock.until(1500, 1);
    expect(sent).toEqual(Array(4).fill("@n WATCHDOG=1\n"));
    end.abort();
    await alive;
    expect(sent.length).toBe(4);
  });

  test("watchdogMs() is what was set for this process", () => {
    const of = (env: Readonly<Record<string, string>>) => watchdogMs((name) => env[name], 7);
    expect(of({ WATCHDOG_USEC: "2000000" })).toBe(2000);
    expect(of({ WATCHDOG_USEC: "2000000", WATCHDOG_PID: "7" })).toBe(2000);
    expect(of({ WATCHDOG_USEC: "2000000", WATCHDOG_PID: "8" })).toBe(null);
    expect([of({}), of({ WATCHDOG_USEC: "0" }), of({ WATCHDOG_USEC: "x" })])
      .toEqual([null, null, null]);
  });
});
