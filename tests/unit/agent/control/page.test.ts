// The page in a real browser: login, live progress, calendar, hostile names, a restore, the ladder
// and the heat map, by keyboard where a person would use one. SCREENSHOTS=DIR keeps pictures.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import process from "node:process";
import {
  createControlApp,
  hostsOf,
  type ListedEntry,
  serveControl,
  type ServedControl,
} from "../../../../agent/control/mod.ts";
import { currentRuntime } from "../../../../transport/runtime/mod.ts";
import { Browser } from "./browser.ts";
import { BACKUP, ENTRY, FakeDaemon } from "./fake_daemon.ts";

const TOKEN = "0123456789abcdef";
/** Names of files that would run, were they taken as markup. */
const HOSTILE = [
  `/srv/<img src=x onerror="globalThis.hacked=1">`,
  `/srv/<script>globalThis.hacked=1</script>`,
  `/srv/"><svg onload=globalThis.hacked=1>`,
  `/srv/javascript:globalThis.hacked=1`,
];

/** A name that is no UTF-8, below another one. */
const ODD = "/srv/caf\xe9/\xff";

class HostileDaemon extends FakeDaemon {
  override list(_reference: string, path: string | Uint8Array | null): readonly ListedEntry[] {
    if (path instanceof Uint8Array) {
      const bytes = new TextDecoder("latin1").decode(path);
      return [{ ...ENTRY, path: `children of ${bytes}` }];
    }
    if (path === "/odd") {
      const text = "/srv/caf\ufffd/\ufffd";
      return [{ ...ENTRY, type: "directory", path: text, pathBase64: btoa(ODD) }];
    }
    return HOSTILE.map((name) => ({
      ...ENTRY,
      type: path === null ? "directory" : "file",
      path: path === null ? name : `${path}/x`,
    }));
  }
}

let browser: Browser;
let served: ServedControl;
let origin = "";
const daemon = new HostileDaemon();

beforeAll(async () => {
  const runtime = await currentRuntime();
  const { clock, random } = runtime;
  const hosts: string[] = [];
  const app = createControlApp(daemon, { clock, access: { token: TOKEN, hosts, clock, random } });
  served = await serveControl(app, { kind: "http", host: "127.0.0.1", port: 0 }, runtime);
  const { port } = served.address as { port: number };
  hosts.push(...hostsOf("127.0.0.1", port));
  origin = `http://127.0.0.1:${port}`;
  daemon.script = () => {};
  daemon.kept = [
    ...["2025-12-20", "2025-12-28"].map((day) => ({ ...BACKUP, time: `${day}T02:00:00Z` })),
    { ...BACKUP, time: "2025-12-30T02:00:00Z", fallback: "client_volume_failed" },
    {
      ...BACKUP,
      client: "<b>db01</b>",
      time: "2026-01-01T03:00:00Z",
      status: "incomplete",
      channels: { network: { bytes: 9000 }, storage: { bytes: 0 } },
      fallback: "setup_timeout",
    },
    BACKUP,
  ];
  daemon.steps = [
    {
      figure: "4",
      side: "server",
      step: "90",
      call: "send(3, <i>zeros</i>)",
      atMs: 1,
      skipped: false,
    },
    { figure: "4", side: "client", step: "120", call: "recv(5)", atMs: 2, skipped: false },
  ];
  browser = await Browser.start();
});

afterAll(async () => {
  await browser.close();
  await served.close();
});

async function go(hash: string): Promise<void> {
  await browser.value(`document.documentElement.dataset.ready = ""; location.hash = "${hash}"; 0`);
  await browser.until(`document.documentElement.dataset.ready === "${hash.split("/")[0]}"`);
}

async function shoot(name: string): Promise<void> {
  const directory = process.env["SCREENSHOTS"];
  if (directory === undefined) return;
  for (const theme of ["light", "dark"] as const) {
    await browser.screenshot(`${directory}/page-${name}-${theme}.png`, theme);
  }
}

function emit(job: string, tick: number): void {
  const bytes = (tick * 37 % 11 + tick) * 1024 * 1024;
  daemon.emit(job, {
    type: "progress",
    job,
    phase: "reading",
    files: tick,
    bytes,
    totalFiles: 80,
    totalBytes: 100 * 1024 * 1024,
    seconds: tick / 4,
    bytesPerSecond: 1024,
    channels: { network: { bytes: tick * 1000 }, storage: { bytes } },
  });
}

describe("the page in Chromium", () => {
  test("asks for the token, and shows jobs and their progress as it happens", async () => {
    const { job } = daemon.startJob({ kind: "verify", backups: [], data: false, subset: null });
    await browser.open(origin);
    await browser.until(`document.documentElement.dataset.ready === "login"`);
    // What a stranger sees has no data; the browser notes the refused request.
    expect(await browser.value("document.body.innerText")).not.toContain("vault01");
    browser.troubles.splice(0);
    await browser.type(TOKEN);
    await browser.press("Enter");
    await browser.until(`document.documentElement.dataset.ready === "Jobs"`);
    const told = (text: string) => browser.until(`document.body.innerText.includes("${text}")`);
    await told("vault01");
    await told("30 2 * * * Europe/Berlin");
    emit(job, 1);
    await told("5.0 MiB");
    emit(job, 5);
    await told("14.0 MiB");
    const loaded = await browser.value(
      `performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
        .reduce((sum, { transferSize }) => sum + transferSize, 0)`,
    );
    expect(Number(loaded)).toBeGreaterThan(1000);
    expect(Number(loaded)).toBeLessThan(200_000);
    expect(await browser.value("document.cookie")).toBe("");
  }, 60_000);

  test("shows a job with its throughput and ladder", async () => {
    for (let tick = 6; tick <= 40; tick++) emit("j1", tick);
    await go("Jobs/j1");
    await browser.until(`document.querySelector(".storage polyline").getAttribute("points")`);
    const text = String(await browser.value("document.body.innerText"));
    expect(text).toContain("90 send(3, <i>zeros</i>)");
    expect(text).toContain("120 recv(5)");
    await shoot("job");
  }, 60_000);

  test("shows which channel each backup took and why, and clients without any backup", async () => {
    await go("Backups");
    const cells = `Array.from(document.querySelectorAll("[aria-live] tr"))
      .map((row) => [1, 5].map((at) => row.cells[at].textContent))`;
    expect(await browser.value(cells)).toEqual([
      ["Client", "Channel"],
      ["web01", "storage"],
      ["<b>db01</b>", "network, setup_timeout"],
      ["web01", "both, client_volume_failed"],
      ["web01", "storage"],
      ["web01", "storage"],
    ]);
    const never = `Array.from(document.querySelectorAll("section"), (one) => one.innerText)
      .filter((text) => text.includes("Never backed up"))`;
    expect(await browser.value(never)).toEqual([expect.stringContaining("new01")]);
    await go("Jobs");
  }, 60_000);

  test("shows the calendar by keyboard, and hostile names as they are", async () => {
    await go("Backups");
    const label = "web01, 2026-01-01: 1 backups, ok";
    await browser.value(`document.querySelector('[aria-label="${label}"]').focus()`);
    await browser.press("Enter");
    await browser.until(`document.body.innerText.includes("web01 on 2026-01-01")`);
    await browser.value(`document.querySelector("[aria-live]").scrollIntoView()`);
    await shoot("backups");
    await go(`Backups/${BACKUP.backup}`);
    await browser.until(`document.querySelectorAll("td button").length === 4`);
    const text = String(await browser.value("document.body.innerText"));
    for (const name of HOSTILE) expect(text).toContain(name);
    await browser.value(`document.querySelector("td button").focus()`);
    await browser.press("Enter");
    await browser.until(
      `document.body.innerText.includes("onerror") && document.querySelector(".name")`,
    );
    const strange =
      `document.querySelectorAll("img, main script, [onload], [onerror], b, i").length`;
    expect(await browser.value(strange)).toBe(0);
    expect(await browser.value("globalThis.hacked ?? null")).toBe(null);
  }, 60_000);

  test("goes into directories whose names are no UTF-8, and up again", async () => {
    await go(`Backups/${BACKUP.backup}/%2Fodd`);
    const told = (text: string) =>
      browser.until(`document.body.innerText.includes("children of ${text}")`);
    await browser.until(`document.querySelectorAll("td button").length === 1`);
    await browser.value(`document.querySelector("td button").focus()`);
    await browser.press("Enter");
    await told("/srv/caf\u00e9/\u00ff");
    await browser.value(
      `[...document.querySelectorAll("button")].find((one) => one.innerText === "Up").click()`,
    );
    await browser.until(`!document.body.innerText.includes("\u00ff")`);
    await told("/srv/caf\u00e9");
  }, 60_000);

  test("starts a restore of what is looked at", async () => {
    await browser.value(`document.querySelector("[name=target]").focus()`);
    await browser.type("/restored");
    await browser.press("Enter");
    await browser.until(`location.hash.startsWith("#Jobs/")`);
    const request = daemon.requests.at(-1);
    expect(request?.kind === "restore-filesystem" ? request.target : "").toBe("/restored");
    expect(request?.kind === "restore-filesystem" ? request.overwrite : "").toBe("refuse");
  }, 60_000);

  test("shows groups and the cache, and meets no trouble in all of it", async () => {
    await go("Storage");
    expect(Number(await browser.value(`document.querySelectorAll("rect.cache").length`)))
      .toBeGreaterThan(0);
    expect(await browser.value("document.body.innerText")).toContain("Ring waits");
    await shoot("storage");
    expect(browser.troubles).toEqual([]);
  }, 60_000);
});
