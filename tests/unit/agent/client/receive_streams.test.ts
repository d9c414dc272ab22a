// The restore of several streams, whose records travel on connections of their own.

import { expect, test } from "bun:test";
import { openerOf } from "../../../../agent/client/job_encryption.ts";
import { receiveStreams, type StreamConsumer } from "../../../../agent/client/receive_streams.ts";
import { WorkerSession } from "../../../../agent/job/mod.ts";
import { compressFrame } from "../../../../agent/media/mod.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";
import { TcpMechanism } from "../../../../transport/tcp/mod.ts";
import { IDENTITY, runtime } from "../../transport/flow/flow_bed.ts";
import { linkBed } from "../job/link_bed.ts";

const address = (port: number) => ({ family: "AF_MEMORY", address: "test", port }) as const;

/** Takes everything at once; a frame's first byte is its stream. */
class Taking implements StreamConsumer {
  readonly ended: number[] = [];
  #files = 0;

  feed({ tar }: Parameters<StreamConsumer["feed"]>[0]): number {
    this.#files += 1;
    return tar?.[0] ?? 0;
  }

  taken(): Promise<void> {
    return Promise.resolve();
  }

  endStream(stream: number): Promise<void> {
    this.ended.push(stream);
    return Promise.resolve();
  }

  written() {
    return { files: this.#files, bytes: this.#files };
  }

  finish() {
    return this.written();
  }

  abort(): void {}
}

test("receiveStreams() waits for records that the end of all has overtaken", async () => {
  const { near, far } = linkBed(1);
  const [nearLane, farLane] = memoryPair(address(1), address(2));
  near.addStreams([nearLane]);
  far.addStreams([farLane]);
  const task = { kind: "server-rebuild", identity: IDENTITY, steps: [], vault: "/" } as const;
  const mechanism = () => new TcpMechanism(runtime.network);
  const parts = { runtime, task, network: mechanism(), storage: mechanism(), post: () => {} };
  const session = new WorkerSession(parts);
  const consumer = new Taking();
  const opener = openerOf(session, { recipients: [], identityFile: null });
  const totals = { totalFiles: 2, totalBytes: 2 };
  const received = receiveStreams(session, consumer, {
    link: near,
    opener,
    totals,
    streams: 2,
  });
  const record = (sequence: number, stream: number) => {
    const tar = new Uint8Array([stream]);
    const frame = compressFrame(tar, 1);
    return { sequence, frame, tarBytes: 1, pieces: [{ offset: 0, length: 1 }] };
  };
  for (let wants = 0; wants < 2; wants += 1) await far.receive();
  await far.sendRestore(record(0, 0), { lane: 0 });
  for (const stream of [0, 1]) await far.send({ type: "stream-end", stream, records: 1 });
  await far.send({ type: "end", records: 2 });
  // The client has all that came on the first connection, and asks for more of the first stream.
  await far.receive();
  await runtime.clock.yield();
  await far.sendRestore(record(1, 1), { lane: 1 });
  expect(await received).toMatchObject({ status: "ok", files: 2 });
  expect(consumer.ended.sort()).toEqual([0, 1]);
});
