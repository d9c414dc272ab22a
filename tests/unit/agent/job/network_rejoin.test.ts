// A job's link whose network is cut at any byte and connected again: every document and every
// record arrives once and in order, both ends finish, and a job that is over stays over.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  NETWORK_MOMENT_MS,
  NETWORK_SILENCE_MOMENTS,
  REJOIN_LIMIT_MS,
  REJOIN_PAUSE_MIN_MS,
  REJOIN_WAIT_MS,
} from "../../../../agent/job/limits.ts";
import type { JobLink } from "../../../../agent/job/link.ts";
import type { LinkDocument } from "../../../../agent/job/link_document.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";
import { type Cut, CutBed, type CutKind, HurriedClock } from "./cut_bed.ts";
import { clock, dataRecord, linkBed } from "./link_bed.ts";

const warning = (number: number): LinkDocument => ({
  type: "warning",
  code: `w${number}`,
  message: "",
  path: null,
  incomplete: false,
});

const LOST = new AgentError("reset", "the group is lost");

const frameOf = (sequence: number, bytes: number) =>
  new Uint8Array(bytes).map((_, index) => (sequence * 31 + index) & 0xff);

/** As a job does: its result stands, also when the last acknowledgement is lost with the network. */
function finish(link: JobLink): Promise<void> {
  return link.finish().catch(() => {});
}

/** Sends as a backup's client does; gives the cursors that came back. */
async function send(link: JobLink, sizes: readonly number[]): Promise<number[]> {
  const cursors: number[] = [];
  const result = (async () => {
    for (;;) {
      const message = await link.receive();
      if (message.kind !== "document") throw new Error("the receiver sends no records");
      if (message.document.type === "cursor") cursors.push(message.document.received);
      if (message.document.type === "result") return;
    }
  })();
  result.catch(() => {}); // Taken below.
  for (const [sequence, bytes] of sizes.entries()) {
    await link.sendData(dataRecord(sequence, { frame: frameOf(sequence, bytes) }));
    await link.send(warning(sequence));
  }
  await link.send({ type: "end", records: sizes.length, warnings: sizes.length });
  await result;
  await finish(link);
  return cursors;
}

/** Receives as a backup's server does. */
async function receive(link: JobLink): Promise<{ sizes: number[]; warnings: string[] }> {
  const sizes: number[] = [];
  const warnings: string[] = [];
  let end = Number.POSITIVE_INFINITY;
  while (sizes.length < end || warnings.length < end) {
    const message = await link.receive();
    if (message.kind === "document") {
      if (message.document.type === "end") end = message.document.records;
      if (message.document.type === "warning") warnings.push(message.document.code);
    } else if (message.kind === "data") {
      const { frame, sequence } = message.record;
      expect(frame).toEqual(frameOf(sequence, frame.length));
      sizes.push(frame.length);
      await link.send({ type: "cursor", received: sizes.length, synced: null });
    }
  }
  await link.send({ type: "result", backup: null, status: "ok", files: 0, bytes: 0 });
  await finish(link);
  return { sizes, warnings };
}

const kinds = fc.constantFrom<CutKind>("all", "control", "errors", "far-silent");
const cut = fc.record<Cut>({ afterBytes: fc.nat(3000), kind: kinds });
const size = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 }));

describe("a link whose network is cut and connected again", () => {
  test("carries every message once and in order, wherever it is cut", async () => {
    let cutsSeen = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(size, { maxLength: 40 }),
        fc.array(cut, { maxLength: 8 }),
        fc.constantFrom<1 | 2>(1, 2),
        fc.integer({ min: 1, max: 5000 }),
        fc.boolean(),
        fc.constantFrom("none", "lives", "near", "far"),
        async (sizes, cuts, connections, capacityBytes, nearSends, storage) => {
          const bed = new CutBed({
            cuts,
            connections,
            capacityBytes,
            ...(storage === "none" ? {} : { storage: nearSends ? "near" : "far" }),
          });
          const [sender, receiver] = nearSends ? [bed.near, bed.far] : [bed.far, bed.near];
          if (storage === "near") bed.lost[0].abort(LOST);
          if (storage === "far") bed.lost[1].abort(LOST);
          const [cursors, came] = await Promise.all([send(sender, sizes), receive(receiver)]);
          expect(came.sizes).toEqual([...sizes]);
          expect(came.warnings).toEqual(sizes.map((_, number) => `w${number}`));
          expect(cursors).toEqual(sizes.map((_, number) => number + 1));
          for (const told of bed.told.map((one) => one.filter((word) => word !== "fallback"))) {
            expect(told).toEqual(told.map((_, index) => index % 2 === 0 ? "cut" : "again"));
          }
          cutsSeen += bed.made - 1;
        },
      ),
      { numRuns: 150, timeout: 4000 },
    );
    expect(cutsSeen).toBeGreaterThan(150);
  }, 60_000);
});

describe("a network that is cut", () => {
  const sizes = Array.from({ length: 100 }, (_, index) => index % 7);

  test("does not stop records on the storage", async () => {
    const mended = Promise.withResolvers<void>();
    const options = { cuts: [], connections: 2, capacityBytes: 4096 } as const;
    const bed = new CutBed({ ...options, storage: "far", mended: mended.promise });
    bed.cut();
    const sending = send(bed.far, sizes);
    for (let sequence = 0; sequence < sizes.length; sequence++) {
      const message = await bed.near.receive();
      expect(message.kind === "data" && message.record.sequence).toBe(sequence);
    }
    expect(bed.told).toEqual([["cut"], ["cut"]]);
    mended.resolve();
    let end: number | null = null;
    while (end === null) {
      const message = await bed.near.receive();
      if (message.kind === "document" && message.document.type === "end") {
        end = message.document.records;
      }
    }
    expect(end).toBe(sizes.length);
    const result = { type: "result", backup: null, status: "ok", files: 0, bytes: 0 } as const;
    await Promise.all([sending, bed.near.send(result).then(() => bed.near.finish())]);
    expect(bed.told).toEqual([["cut", "again"], ["cut", "again"]]);
  });

  test("ends the job when the peer's host is gone from the storage, too", async () => {
    const options = { cuts: [], connections: 2, capacityBytes: 4096 } as const;
    const bed = new CutBed({ ...options, storage: "far", mended: new Promise(() => {}) });
    bed.cut();
    const cause = new AgentError("unreachable", "host 2 gave no sign of life");
    const gone = new AgentError("reset", "Cannot use the storage connection", { cause });
    for (const end of bed.data) end.read = () => Promise.reject(gone);
    const both = [failure(() => bed.near.receive()), failure(() => bed.far.receive())];
    expect((await Promise.all(both)).map((one) => one.code)).toEqual([
      "unreachable",
      "unreachable",
    ]);
  });

  for (const first of ["network", "storage"] as const) {
    test(`does not hold up the end of a job whose peer is gone, the ${first} shows it first`, async () => {
      const options = { cuts: [], connections: 2, capacityBytes: 4096 } as const;
      const bed = new CutBed({ ...options, storage: "near", mended: new Promise(() => {}) });
      const shown = Promise.withResolvers<number>();
      bed.data[0].read = () => shown.promise;
      let ended = false;
      const ending = failure(() => bed.near.finish()).finally(() => ended = true);
      const show = () => shown.reject(new AgentError("unreachable", "host 2 gave no sign of life"));
      if (first === "network") bed.cut();
      else show();
      for (let turn = 0; turn < 20; turn++) await clock.yield();
      expect(ended).toBe(false);
      if (first === "network") show();
      else bed.cut();
      const error = await ending;
      expect([error.code, error.message]).toEqual(["unreachable", expect.stringContaining("gone")]);
      expect(bed.told[0]).toEqual(["cut"]);
    });
  }

  test("is waited out at the end of a job whose storage channel ended in order", async () => {
    const mended = Promise.withResolvers<void>();
    const options = { cuts: [], connections: 2, capacityBytes: 4096 } as const;
    const bed = new CutBed({ ...options, storage: "near", mended: mended.promise });
    bed.data[0].read = () => Promise.resolve(null);
    bed.cut();
    const ending = Promise.all([bed.near.finish(), bed.far.finish()]);
    for (let turn = 0; turn < 20; turn++) await clock.yield();
    mended.resolve();
    await ending;
    expect(bed.told).toEqual([["cut", "again"], ["cut", "again"]]);
  });

  test("ends waits, and the telling of a failure, when the job is cancelled", async () => {
    const stop = new AbortController();
    const options = { cuts: [], connections: 2, capacityBytes: 4096 } as const;
    const bed = new CutBed({ ...options, signal: stop.signal, mended: new Promise(() => {}) });
    bed.cut();
    const both = [bed.near, bed.far].map((link) => failure(() => link.receive()));
    stop.abort(new AgentError("cancelled", "Cannot finish the job: cancelled"));
    expect((await Promise.all(both)).map((one) => one.code)).toEqual(["cancelled", "cancelled"]);
    const error = { code: "cancelled", message: "Cannot finish the job: cancelled" } as const;
    await Promise.all([bed.near.fail(error), bed.far.fail(error)]);
  });
});

describe("a network that stays cut", () => {
  /** Two ends whose connections break; `connect` of the near one fails. */
  function brokenBed(clock: HandClock, thrown: AgentError) {
    const { near, far, pairs } = linkBed(2, { clock, numbered: true });
    const why: string[] = [];
    const reports = { onCut: (found: string) => why.push(found), onRejoined: () => {} };
    near.outliveCuts({ ...reports, connect: () => Promise.reject(thrown) });
    far.outliveCuts({ ...reports, connect: null });
    const both = [failure(() => near.receive()), failure(() => far.receive())] as const;
    const cut = () => pairs.forEach(([conn]) => conn.abort("the LAN was cut"));
    return { near, far, both, why, cut };
  }

  test("ends the job on both sides when its time is over, and says what was tried", async () => {
    const clock = new HandClock();
    const unreachable = new AgentError("unreachable", "Cannot connect: no route");
    const { both: [near, far], cut, why } = brokenBed(clock, unreachable);
    cut();
    await clock.until(REJOIN_PAUSE_MIN_MS, 1);
    await clock.ring(REJOIN_PAUSE_MIN_MS);
    await clock.until(2 * REJOIN_PAUSE_MIN_MS, 1);
    await clock.ring(REJOIN_LIMIT_MS);
    const error = await near;
    expect([error.code, error.hint]).toEqual(["unreachable", expect.stringContaining("again")]);
    expect(error.message).toContain("within 60 s; last try: Cannot connect: no route");
    await clock.ring(REJOIN_WAIT_MS);
    expect((await far).message).toContain("no connection came about within 85 s");
    expect(why).toHaveLength(2);
  });

  for (const code of ["auth", "mismatch"] as const) {
    test(`ends the job at once when the peer's answer is ${code}`, async () => {
      const { both: [near], cut } = brokenBed(new HandClock(), new AgentError(code, "No such job"));
      cut();
      const error = await near;
      expect([error.code, error.message.includes("No such job")]).toEqual(["unreachable", true]);
    });
  }

  test("is noticed by its silence", async () => {
    const clock = new HandClock();
    const { near, pairs } = linkBed(2, { clock, numbered: true });
    const cut = Promise.withResolvers<string>();
    near.outliveCuts({ connect: null, onCut: cut.resolve, onRejoined: () => {} });
    near.watchNetwork();
    for (const [conn] of pairs) conn.read = () => new Promise(() => {});
    const receiving = failure(() => near.receive());
    for (let moment = 0; moment <= NETWORK_SILENCE_MOMENTS; moment++) {
      await clock.ring(NETWORK_MOMENT_MS);
      await Promise.resolve();
    }
    expect(await cut.promise).toContain("said nothing over the network for 15 s");
    await clock.ring(REJOIN_WAIT_MS);
    expect((await receiving).code).toBe("unreachable");
  });

  test("is the end of a job that does not run yet", async () => {
    const { near, pairs } = linkBed(2, { numbered: true, clock: new HurriedClock() });
    const receiving = failure(() => near.receive());
    for (const [conn] of pairs) conn.abort("the LAN was cut");
    expect((await receiving).code).toBe("reset");
  });
});
