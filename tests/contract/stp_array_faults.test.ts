// Storage sockets on an array whose faults are switched on and off while a connection is in use.

import { describe, expect, test } from "bun:test";
import { crc32 } from "../../transport/ground/crc32.ts";
import { arrayBed } from "./array_conn_bed.ts";
import { sendSeeded } from "./conn_bytes.ts";

const MIB = 1024 * 1024;
const TIMEOUT_MS = 60_000;
const STREAM_BYTES = 24 * MIB;
/** Received bytes between two switches: some rings full. */
const SWITCH_BYTES = 2 * MIB;
const SEED = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;

describe("STP on an array whose faults come and go", () => {
  test(`a stream loses nothing, whatever was in flight, seed ${SEED}`, async () => {
    const bed = await arrayBed(2);
    try {
      const [near, far] = await bed.pair();
      const sending = sendSeeded(near, SEED, STREAM_BYTES);
      sending.catch(() => {}); // Taken below.
      const buffer = new Uint8Array(256 * 1024);
      let [received, crc, switches] = [0, 0, 0];
      for (let count = await far.read(buffer); count !== null; count = await far.read(buffer)) {
        crc = crc32(buffer.subarray(0, count), crc);
        received += count;
        if (received < (switches + 1) * SWITCH_BYTES) continue;
        switches++;
        if (switches % 2 === 0) bed.clearFaults();
        else {
          const often = { probability: 0.05, seed: SEED + switches };
          for (const kind of ["lost", "torn"]) bed.addFault({ kind, ...often });
          bed.addFault({ kind: "flip", on: "write", ...often });
        }
      }
      expect([received, crc]).toEqual([STREAM_BYTES, await sending]);
      expect(switches).toBeGreaterThan(6);
      await Promise.all([near.close(), far.close()]);
    } finally {
      await bed.close();
    }
  }, TIMEOUT_MS);
});
