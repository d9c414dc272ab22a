// A numbered connection whose old connection brings something after another took its place.

import { expect, test } from "bun:test";
import { NumberedConn } from "../../../../agent/job/numbered_conn.ts";
import type { LinkMessage } from "../../../../agent/job/link_conn.ts";
import type { Address } from "../../../../transport/conn.ts";
import { memoryPair } from "../../../../transport/memory/mod.ts";

const at = (port: number): Address => ({ family: "AF_MEMORY", address: "test", port });

test("what a connection brings after another took its place is dropped: it comes again", async () => {
  const over = new AbortController().signal;
  const [first, second] = [memoryPair(at(1), at(2)), memoryPair(at(3), at(4))];
  const near = new NumberedConn(first[0], over);
  const far = new NumberedConn(first[1], over);
  for (const lane of [near, far]) lane.arm(() => {});
  // The near end's read is under way in the kernel: it brings what came, whatever happens then.
  const late = Promise.withResolvers<void>();
  const read = first[0].read.bind(first[0]);
  first[0].read = async (into, options) => {
    const count = await read(into, options);
    await late.promise;
    return count;
  };
  first[0].abort = () => {};
  first[1].abort = () => {};
  const receiving = near.begin({});
  await far.sendDocument({ type: "started", backup: "b" }, {});
  await Promise.all([near.resume(second[0], {}), far.resume(second[1], {})]);
  late.resolve();
  const shown = (message: LinkMessage | null) =>
    message?.kind === "document" ? message.document.type : null;
  expect(shown((await receiving).message)).toBe("started");
  near.pending = null;
  await far.sendDocument({ type: "end", records: 1 }, {});
  expect(shown((await near.begin({})).message)).toBe("end");
});
