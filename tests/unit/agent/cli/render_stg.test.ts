// The text of `agent stg status`, as a person reads it.

import { expect, test } from "bun:test";
import pc from "picocolors";
import { renderStg } from "../../../../agent/cli/render_stg.ts";
import { STG } from "../control/fake_storage.ts";

const PAINT = pc.createColors(false);

test("renderStg() shows hosts, ports, rings, errors and connections", () => {
  const [host] = STG.hosts;
  if (host === undefined) throw new Error("a host");
  const quiet = { ...host.errors, tornFrames: 0, framesAsked: 0 };
  const more = [
    { ...host, host: 2, name: "web01", live: null, heartbeatAgeMs: null, volumes: [], ports: [] },
    { ...host, host: 3, name: "old", live: false, errors: quiet },
    { ...host, host: 4, name: "gone", attached: false, live: false, errors: quiet },
  ];
  const text = renderStg({ ...STG, hosts: [host, ...more], warnings: ["look here"] }, PAINT);
  expect(text).toContain("warning: look here");
  expect(text).toMatch(/1 +vault01 +3 +yes +12 ms +v0 +49152 +2\/16 +1\n/);
  expect(text).toMatch(/2 +web01 +3 +unknown +- +- +- +2\/16 +1\n/);
  expect(text).toMatch(/3 +old +3 +no /);
  expect(text).toMatch(/4 +gone +3 +left /);
  expect(text).toMatch(/HOST +TORN +STALE/);
  expect(text).toMatch(/\n +1 +4 +0 +0 +0 +0 +0 +2 +0\n/);
  expect(text).not.toMatch(/\n +3 +0 +0/);
  expect(text).toMatch(/1:49152 +2:49153 +established +4.00 KiB +0 B +1\n/);
});

test("renderStg() shows no table of errors when there are none", () => {
  const hosts = STG.hosts.map((host) => ({
    ...host,
    errors: { ...host.errors, tornFrames: 0, framesAsked: 0 },
  }));
  expect(renderStg({ ...STG, hosts, connections: [] }, PAINT)).not.toContain("TORN");
});

test("renderStg() says why a group is down and what to do", () => {
  const hint = "Compare `volumes`.";
  const text = renderStg({ ...STG, state: "down", reason: "no volume", hint, hosts: [] }, PAINT);
  expect(text).toContain("state:   down: no volume\nhint:    Compare `volumes`.\n");
});
