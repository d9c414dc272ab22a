// The volumes of a group as its configuration has them opened: a raw one waits for its answers as
// long as the group's dead time asks for. On a kernel and a clock of the test.

import { describe, expect, test } from "bun:test";
import { openVolumes } from "../../../agent/compose.ts";
import type { StgConfig } from "../../../agent/config/mod.ts";
import { sourceOf } from "../../../agent/stg/mod.ts";
import { FakeDirectIo, JumpClock } from "../transport/raw/fake_direct_io.ts";
import { RawFiles, runtime } from "../transport/raw/raw_files.ts";

describe("openVolumes() of a raw group", () => {
  for (const [deadTimeMs, timeoutMs] of [[3000, 30_000], [90_000, 90_000]] as const) {
    test(`fails a request after ${timeoutMs} ms with dead_time ${deadTimeMs} ms`, async () => {
      using files = new RawFiles();
      const config: StgConfig = {
        name: "lun0",
        host: 1,
        array: null,
        volumes: [files.make("lun", 1024 * 1024)],
        heartbeatMs: 1000,
        deadTimeMs,
        encrypt: false,
      };
      const [directIo, clock] = [new FakeDirectIo(), new JumpClock()];
      const parts = { ...runtime, directIo, clock };
      const { volumes, close } = await openVolumes(parts, sourceOf(config), "vault01");
      const [volume] = volumes;
      if (volume === undefined) throw new Error("one path is one volume");
      directIo.answer = null;
      const startMs = clock.nowMs;
      const reading = Promise.resolve(volume.read(0, volume.allocate(4096)));
      const error: unknown = await reading.then(() => null, (thrown) => thrown);
      expect(error).toMatchObject({ code: "timeout" });
      expect(clock.nowMs - startMs).toBeGreaterThanOrEqual(timeoutMs);
      expect(clock.nowMs - startMs).toBeLessThan(timeoutMs + 1000);
      directIo.finish(0);
      await close();
    });
  }
});
