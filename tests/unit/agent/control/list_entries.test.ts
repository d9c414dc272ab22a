// What a backup has at a path that is no UTF-8: the route takes the bytes that a listing showed.

import { describe, expect, test } from "bun:test";
import { DocumentedApp } from "./documented_app.ts";
import { FakeDaemon } from "./fake_daemon.ts";

const app = new DocumentedApp(new FakeDaemon(), {
  clock: { sleep: () => new Promise<void>(() => {}) },
  access: null,
});
const ODD = btoa("/srv/caf\xe9");
const ODD_QUERY = `pathBase64=${encodeURIComponent(ODD)}`;
const list = (query: string) => app.request(`/v1/backups/latest/entries?${query}`);

describe("GET /v1/backups/:id/entries", () => {
  test("takes the bytes of a path", async () => {
    const [entry] = await (await list(ODD_QUERY)).json();
    expect(entry).toMatchObject({ path: "/srv/caf\ufffd", pathBase64: ODD });
  });

  for (const wrong of ["pathBase64=", "pathBase64=%25", `path=%2Fsrv&${ODD_QUERY}`]) {
    test(`is 400 for ${wrong}`, async () => {
      const answer = await list(wrong);
      expect(answer.status).toBe(400);
      expect((await answer.json()).code).toBe("usage");
    });
  }
});
