// The link of a job over in-memory connections: what arrives, in which order, and how it ends.

import { describe, expect, test } from "bun:test";
import { LINK_DOCUMENT_BYTES_MAX, TELL_TIMEOUT_MS } from "../../../../agent/job/limits.ts";
import type { LinkMessage } from "../../../../agent/job/link.ts";
import { encodeHeader, HEADER_BYTES } from "../../../../agent/job/link_frame.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { writeAll } from "../../../../transport/ground/write_all.ts";
import { failure } from "../../transport/connect/failure.ts";
import { HandClock } from "../../transport/flow/hand_clock.ts";
import { dataRecord, linkBed, restoreRecord } from "./link_bed.ts";

const ERROR = { code: "no_space", message: "Cannot write: the vault is full" } as const;

/** What a message is, short enough to compare lists of them; copies nothing that may change. */
function show(message: LinkMessage): string {
  if (message.kind === "document") return message.document.type;
  if (message.kind === "parent") return `parent ${message.chunk.index}`;
  if (message.kind === "piece") return `piece ${message.bytes.length}`;
  return `${message.kind} ${message.record.sequence} ${message.record.frame.length}`;
}

function header(kind: "document" | "data" | "restore", length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  encodeHeader(kind, length, bytes);
  return bytes;
}

for (const count of [1, 2, 3] as const) {
  describe(`JobLink over ${count} connections`, () => {
    test("carries documents and records of both kinds both ways", async () => {
      const { near, far } = linkBed(count);
      await near.sendData(dataRecord(0));
      expect(await far.receive()).toEqual({ kind: "data", record: dataRecord(0) });
      await far.sendRestore(restoreRecord(0));
      expect(await near.receive()).toEqual({ kind: "restore", record: restoreRecord(0) });
      for (
        const document of [{ type: "cursor", received: 1, synced: 0 }, {
          type: "error",
          error: ERROR,
        }] as const
      ) {
        await near.send(document);
        expect(await far.receive()).toEqual({ kind: "document", document });
      }
    });

    test("gives a record's memory back once it was copied, unless it may be sent again", async () => {
      const { near, far } = linkBed(count);
      const released: string[] = [];
      await near.sendData(dataRecord(0), { release: () => released.push("data") });
      await far.receive();
      await far.sendRestore(restoreRecord(0), { release: () => released.push("restore") });
      await near.receive();
      expect(released).toEqual(count === 3 ? [] : ["data", "restore"]);
    });

    test("keeps the order of records, whatever comes between on other connections", async () => {
      const { near, far } = linkBed(count, { capacityBytes: 100 });
      const send = async () => {
        for (let sequence = 0; sequence < 50; sequence++) {
          const frame = new Uint8Array(1 + sequence * 7).fill(sequence);
          await near.sendData(dataRecord(sequence, { frame }));
          if (sequence % 10 === 0) {
            await near.send({
              type: "warning",
              code: "x",
              message: "",
              path: null,
              incomplete: false,
            });
          }
        }
        await near.send({ type: "end", records: 50 });
      };
      const sending = send();
      const records: string[] = [];
      let [announced, warnings] = [-1, 0];
      while (announced < 0 || records.length < announced) {
        const message = await far.receive();
        if (message.kind === "data") {
          records.push(show(message));
          const { frame, sequence } = message.record;
          expect(frame.every((byte) => byte === sequence)).toBe(true);
        } else if (message.kind === "document" && message.document.type === "end") {
          announced = message.document.records;
        } else warnings++;
      }
      await sending;
      expect(records).toEqual(Array.from({ length: 50 }, (_, n) => `data ${n} ${1 + n * 7}`));
      expect(warnings <= 5).toBe(true);
    });

    test("a receiver that takes nothing stops the sender", async () => {
      const { near, far, pairs } = linkBed(count, { capacityBytes: 1000 });
      let sent = 0;
      const frame = new Uint8Array(200);
      const sending = (async () => {
        for (; sent < 100; sent++) await near.sendData(dataRecord(sent, { frame }));
      })();
      for (let turn = 0; turn < 2000; turn++) await Promise.resolve();
      expect(sent < 6).toBe(true);
      for (let got = 0; got < 100; got++) expect(show(await far.receive())).toBe(`data ${got} 200`);
      await sending;
      expect(pairs[count === 3 ? 2 : 0]?.[0].counters.sentBytes).toBe(
        100 * (HEADER_BYTES + 24 + 200 + 1),
      );
    });

    test("receive() throws reset when the peer finished", async () => {
      const { near, far } = linkBed(count);
      await near.send({ type: "started", backup: "b" });
      const finishing = near.finish();
      expect(show(await far.receive())).toBe("started");
      expect((await failure(() => far.receive())).code).toBe("reset");
      await finishing;
    });

    test("fail() tells the peer the reason, whichever connection it reads", async () => {
      const { near, far } = linkBed(count);
      const receiving = far.receive();
      await near.fail(ERROR);
      const first = await receiving;
      expect(first).toEqual({ kind: "document", document: { type: "error", error: ERROR } });
    });

    test("messages sent at once leave whole, one after the other", async () => {
      const { near, far } = linkBed(count, { capacityBytes: 64 });
      const frame = new Uint8Array(300);
      const sending = [0, 1, 2].map((n) => near.sendData(dataRecord(n, { frame })));
      const failing = sending[2]?.then(() => near.fail(ERROR));
      const got: string[] = [];
      while (!got.includes("error")) got.push(show(await far.receive()));
      expect(got.filter((one) => one !== "error")).toEqual([0, 1, 2].map((n) => `data ${n} 300`));
      await Promise.all([...sending, failing]);
    });
  });
}

describe("JobLink when a connection breaks", () => {
  test("receive() throws the peer's reason although another connection breaks first", async () => {
    const { far, pairs } = linkBed(3);
    const receiving = failure(() => far.receive());
    pairs[0]?.[0].abort("the disk is full");
    const errors = pairs[1]?.[0];
    const payload = new TextEncoder().encode(JSON.stringify({ type: "error", error: ERROR }));
    if (errors !== undefined) {
      await writeAll(errors, header("document", payload.length));
      await writeAll(errors, payload);
    }
    const error = await receiving;
    expect([error.code, error.message]).toEqual([ERROR.code, ERROR.message]);
  });

  test("receive() throws reset when no reason comes in time", async () => {
    const clock = new HandClock();
    const { far, pairs } = linkBed(3, { clock });
    const receiving = failure(() => far.receive());
    pairs[0]?.[0].abort("gone");
    await clock.ring(TELL_TIMEOUT_MS);
    expect((await receiving).code).toBe("reset");
  });

  test("a message that ends in the middle is reset, not a short message", async () => {
    for (const cut of [3, HEADER_BYTES, HEADER_BYTES + 5]) {
      const { far, pairs } = linkBed(1);
      const bytes = new Uint8Array(HEADER_BYTES + 20);
      bytes.set(header("data", 20));
      const near = pairs[0]?.[0];
      await near?.write(bytes.subarray(0, cut));
      await near?.close();
      expect((await failure(() => far.receive())).code).toBe("reset");
    }
  });

  test("nothing is sent after a message that was cut", async () => {
    const stop = new AbortController();
    const { near, pairs } = linkBed(1, { capacityBytes: 50, signal: stop.signal });
    const sending = failure(() => near.sendData(dataRecord(0, { frame: new Uint8Array(500) })));
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    stop.abort();
    expect((await sending).code).toBe("cancelled");
    const far = pairs[0]?.[1];
    expect(await far?.read(new Uint8Array(500))).toBe(50);
    await near.fail(ERROR);
    expect((await failure(() => far?.read(new Uint8Array(500)))).code).toBe("reset");
    expect(pairs[0]?.[0].counters.sentBytes).toBe(50);
  });

  test("receive() throws cancelled when the job is cancelled", async () => {
    const stop = new AbortController();
    const { far } = linkBed(2, { signal: stop.signal });
    const receiving = failure(() => far.receive());
    stop.abort();
    expect((await receiving).code).toBe("cancelled");
  });
});

describe("JobLink refuses", () => {
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ["an unknown kind", [Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0)]],
    ["a document over the limit", [header("document", LINK_DOCUMENT_BYTES_MAX + 1)]],
    ["a record over the limit", [header("data", 0xffff_ffff)]],
    ["a document that is no JSON", [header("document", 3), Uint8Array.of(1, 2, 3)]],
    ["an unknown document", [header("document", 14), json({ type: "shell" })]],
    ["a data record without its head", [header("data", 4), new Uint8Array(4)]],
    ["an empty record", [header("restore", 0)]],
  ];
  for (const [what, messages] of cases) {
    test(`${what} as damaged, again and again`, async () => {
      const { far, pairs } = linkBed(1);
      for (const message of messages) await pairs[0]?.[0].write(message);
      await pairs[0]?.[0].closeWrite();
      expect((await failure(() => far.receive())).code).toBe("damaged");
      expect((await failure(() => far.receive())).code).toBe("damaged");
    });
  }

  test("to send a document that the peer would not take", async () => {
    const { near } = linkBed(1);
    const backup = "x".repeat(LINK_DOCUMENT_BYTES_MAX);
    const error = await failure(() => near.send({ type: "started", backup }));
    expect(error.code).toBe("failed");
    expect(error.message).toContain(`at most ${LINK_DOCUMENT_BYTES_MAX}`);
  });
});

describe("JobLink.meanwhile()", () => {
  /** Work that only its signal ends. */
  function ended(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("given up")), { once: true });
    });
  }

  test("gives the work's result, and what came meanwhile to the next receive()", async () => {
    const { near, far } = linkBed(2);
    expect(await near.meanwhile(() => Promise.resolve(7))).toBe(7);
    await far.send({ type: "started", backup: "b" });
    expect(show(await near.receive())).toBe("started");
  });

  test("throws what the work throws", async () => {
    const { near, far } = linkBed(2);
    const working = near.meanwhile(() => Promise.reject(new AgentError("volume", "No volume")));
    expect((await failure(() => working)).code).toBe("volume");
    await far.send({ type: "started", backup: "b" });
    expect(show(await near.receive())).toBe("started");
  });

  test("ends the work when the peer says why it gives up", async () => {
    const { near, far } = linkBed(2);
    const working = failure(() => near.meanwhile(ended));
    await far.fail(ERROR);
    expect((await working).message).toBe(ERROR.message);
  });

  test("hears the peer on the connection that brought the last message", async () => {
    const { near, far } = linkBed(1);
    await far.send({ type: "started", backup: "b" });
    await near.receive();
    const working = failure(() => near.meanwhile(ended));
    await far.fail(ERROR);
    expect((await working).message).toBe(ERROR.message);
  });

  test("ends the work when the peer is gone", async () => {
    const { near, pairs } = linkBed(2);
    const working = failure(() => near.meanwhile(ended));
    for (const [, conn] of pairs) conn.abort("killed");
    expect((await working).code).toBe("reset");
  });

  test("leaves the peer's end to the next receive() when the work is done first", async () => {
    const { near, pairs } = linkBed(2);
    const working = near.meanwhile(() => {
      for (const [, conn] of pairs) conn.abort("killed");
      return Promise.resolve(7);
    });
    expect(await working).toBe(7);
    expect((await failure(() => near.receive())).code).toBe("reset");
  });
});
