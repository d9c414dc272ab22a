// The groups of a daemon: one that is down leaves the others and the daemon up, a live holder of
// our host id ends the start, and what is lent comes back.

import { describe, expect, test } from "bun:test";
import type { StgConfig } from "../../../../agent/config/mod.ts";
import { StgService, type StgServiceParts } from "../../../../agent/stg/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { formatStg } from "../../../../transport/stp/mod.ts";
import { CLOSE_MS_MAX } from "../../../../agent/stg/limits.ts";
import { ARRAY } from "../control/fake_storage.ts";
import { failure } from "../../transport/connect/failure.ts";
import { DelayedVolume } from "../../transport/stp/delayed_volume.ts";
import { MemoryMedium } from "../../transport/stp/memory_volume.ts";

const { clock, random } = await currentRuntime();
const VOLUME_BYTES = 16 * 1024 * 1024;

function config(name: string, host: number): StgConfig {
  return {
    name,
    host,
    array: name,
    volumes: ["v0"],
    heartbeatMs: 50,
    deadTimeMs: 5000,
    encrypt: false,
  };
}

/** A formatted group on one volume in memory; the array of any other name cannot be opened. */
async function bed(name: string) {
  const medium = new MemoryMedium(VOLUME_BYTES);
  const path = { cut: false };
  const { uuid } = await formatStg({ name, volumes: [medium.open("v0")], random });
  const hung: DelayedVolume[] = [];
  const opened = {
    /** Attachments that are open now. */
    now: 0,
    /** The parts of another process, with a path of its own. */
    again: (hostName: string) => ({
      hostName,
      openVolumes: () => ({
        volumes: [medium.open("v0")],
        serve: () => Promise.resolve(),
        close: () => {},
      }),
    }),
    hang: () => {
      for (const volume of hung) volume.delayOf = () => Infinity;
    },
  };
  const parts: StgServiceParts = {
    clock,
    random,
    hostName: "vault01",
    openVolumes: (source) => {
      if (source.kind === "raw" || source.directory !== name) {
        throw new AgentError("volume", "Cannot open the volumes: no such array");
      }
      opened.now++;
      const volume = new DelayedVolume(medium.open("v0", { path }), clock, () => 0);
      hung.push(volume);
      return {
        volumes: [volume],
        serve: (signal) =>
          new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
        close: () => void opened.now--,
      };
    },
  };
  return { parts, uuid, path, opened };
}

/** Waits for what happens by itself. */
async function until(condition: () => boolean): Promise<void> {
  const endMs = clock.monotonicMs() + 20_000;
  while (!condition()) {
    if (clock.monotonicMs() > endMs) throw new Error("it did not happen");
    await clock.sleep(10);
  }
}

describe("StgService", () => {
  test("a group that cannot be opened is down with its reason, the others are up", async () => {
    const { parts, uuid } = await bed("stg0");
    await using service = await StgService.open(parts, [config("stg0", 1), config("gone", 1)]);
    const [up, down] = service.views();
    expect([up?.state, up?.uuid, up?.reason]).toEqual(["up", uuid, null]);
    expect([down?.state, down?.uuid]).toEqual(["down", null]);
    expect(down?.reason).toContain("no such array");
    expect(up?.hint).toBe(null);
    expect(service.lend("gone")).toEqual({ unusable: "down", detail: down?.reason ?? "" });
    expect(service.lend("none")).toEqual({
      unusable: "down",
      detail: "it is not configured here",
    });
    expect(Object.keys(service.lendAll())).toEqual(["stg0", "gone"]);
  });

  test("arrays() shows the array of a group that is up, as long as it can be looked at", async () => {
    const { parts } = await bed("stg0");
    let broken = false;
    const look = () => {
      if (broken) throw new AgentError("failed", "Cannot use array: gone");
      return ARRAY;
    };
    const openVolumes: StgServiceParts["openVolumes"] = async (source, hostName) => ({
      ...await parts.openVolumes(source, hostName),
      array: look,
    });
    const configs = [config("stg0", 1), config("gone", 1)];
    await using service = await StgService.open({ ...parts, openVolumes }, configs);
    expect(service.arrays()).toEqual([ARRAY]);
    broken = true;
    expect(service.arrays()).toEqual([]);
  });

  test("open() takes the shortest dead time that the configuration allows", async () => {
    const { parts } = await bed("stg0");
    const short = { ...config("stg0", 1), heartbeatMs: 100, deadTimeMs: 500 };
    await using service = await StgService.open(parts, [short]);
    expect(service.views()[0]?.state).toBe("up");
  });

  test("open() throws busy for a host id that a live process holds", async () => {
    const { parts } = await bed("stg0");
    await using first = await StgService.open(parts, [config("stg0", 1)]);
    const error = await failure(() => StgService.open(parts, [config("stg0", 1)]));
    expect(error.code).toBe("busy");
    expect(first.views()[0]?.state).toBe("up");
    await using other = await StgService.open(parts, [config("stg0", 2)]);
    expect(other.views()[0]?.host).toBe(2);
  });

  test("onLost() tells of a group whose volumes are out of reach; it is down then", async () => {
    const { parts, path } = await bed("stg0");
    const short = { ...config("stg0", 1), heartbeatMs: 50, deadTimeMs: 300 };
    await using service = await StgService.open(parts, [short]);
    const lost = Promise.withResolvers<[string, AgentError]>();
    service.onLost((name, error) => lost.resolve([name, error]));
    path.cut = true;
    const [name, error] = await lost.promise;
    expect([name, error.code]).toEqual(["stg0", "reset"]);
    const [view] = service.views();
    expect([view?.state, view?.reason]).toEqual(["down", error.message]);
    expect(service.lend("stg0")).toEqual({ unusable: "down", detail: error.message });
  });

  test("a group that was lost comes up again by itself, and what was lent before stays dead", async () => {
    const { parts, path, opened } = await bed("stg0");
    const short = { ...config("stg0", 1), heartbeatMs: 50, deadTimeMs: 300 };
    await using service = await StgService.open(parts, [short]);
    const lost = Promise.withResolvers<void>();
    service.onLost(() => lost.resolve());
    const before = service.lend("stg0");
    path.cut = true;
    await lost.promise;
    path.cut = false;
    await until(() => service.views()[0]?.state === "up");
    const after = service.lend("stg0");
    if (!("part" in before) || !("part" in after)) throw new Error("both were lent");
    expect(after.part.claim.generation).toBeGreaterThan(before.part.claim.generation);
    // The lease of the lost membership has a number that the new one gave to somebody else.
    expect(after.part.lease.leaseId).toBe(before.part.lease.leaseId);
    await service.release(before);
    const endpoints = [...after.part.lease.endpoints];
    for (let more = service.lend("stg0"); "part" in more; more = service.lend("stg0")) {
      endpoints.push(...more.part.lease.endpoints);
    }
    expect(new Set(endpoints).size).toBe(endpoints.length);
    expect(opened.now).toBe(1);
  });

  test("a group that could not be opened at the start is tried again", async () => {
    const { parts, path } = await bed("stg0");
    path.cut = true;
    await using service = await StgService.open(parts, [config("stg0", 1)]);
    expect(service.views()[0]?.state).toBe("down");
    path.cut = false;
    await until(() => service.views()[0]?.state === "up");
    expect(service.views()[0]?.reason).toBe(null);
  });

  test("a group whose id another process took stays down with its name, until that leaves", async () => {
    const { parts, path, opened } = await bed("stg0");
    const short = { ...config("stg0", 1), heartbeatMs: 50, deadTimeMs: 300 };
    await using service = await StgService.open(parts, [short]);
    const lost = Promise.withResolvers<void>();
    service.onLost(() => lost.resolve());
    path.cut = true;
    await lost.promise;
    const thief = await StgService.open({ ...parts, ...opened.again("thief") }, [short]);
    path.cut = false;
    await until(() => service.views()[0]?.reason?.includes(`"thief" holds it`) === true);
    expect(service.views()[0]?.state).toBe("down");
    expect(thief.views()[0]?.state).toBe("up");
    await thief[Symbol.asyncDispose]();
    await until(() => service.views()[0]?.state === "up");
  });

  test("the end does not wait for volumes that do not answer", async () => {
    const { parts, opened } = await bed("stg0");
    const service = await StgService.open(parts, [config("stg0", 1)]);
    opened.hang();
    const startMs = clock.monotonicMs();
    await service[Symbol.asyncDispose]();
    expect(clock.monotonicMs() - startMs).toBeLessThan(CLOSE_MS_MAX + 1000);
  });

  test("lend() runs out of endpoints, release() brings them back", async () => {
    const { parts } = await bed("stg0");
    await using service = await StgService.open(parts, [config("stg0", 1)]);
    const lent = [];
    let access = service.lend("stg0");
    while ("part" in access && lent.length < 100) {
      lent.push(access);
      access = service.lend("stg0");
    }
    expect(lent.length > 0 && lent.length < 100).toBe(true);
    expect(access).toMatchObject({ unusable: "no_endpoint" });
    const [back] = lent;
    if (back !== undefined) await service.release(back);
    expect("part" in service.lend("stg0")).toBe(true);
    await service.release(access);
  });
});
