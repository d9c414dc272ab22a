// The guide for two hosts, walked through as its reader would: two hosts with systemd, a loop device
// as their LUN, the package, certificates, units. The commands are those of docs/install.md itself.
// Then what an administrator looks at: a schedule, restores, the page, and who is kept out.
//
// Takes two minutes, as root, and needs dist/agent: `scripts/soak install` runs it.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { SharedLun } from "../../scripts/demonstration/two_hosts/shared_lun.ts";
import { until } from "../integration/deadline.ts";
import { Browser } from "../unit/agent/control/browser.ts";
import { commandsOf, type Place } from "./document_commands.ts";
import { makePackage, SystemHost } from "./system_host.ts";
import { Tunnel } from "./tunnel.ts";

const GUIDE = readFileSync(
  fileURLToPath(import.meta.resolve("../../docs/install.md")),
  "utf8",
);
const LUN_BYTES = 256 * 1024 * 1024;
/** Where the example configurations say that the LUN is. */
const LUN_LINK = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4";
/** A backup of this is caught in its middle. */
const MAKE_LARGE = "mkdir -p /srv/large && head -c 600000000 /dev/urandom >/srv/large/file";
const TIMEOUT_MS = 300_000;
/** Milliseconds until a schedule of each minute ran. */
const MINUTE_MS = 80_000;

let folder = "";
let lun: SharedLun;
let server: SystemHost;
let client: SystemHost;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "agent-install-"));
  lun = await SharedLun.make(LUN_BYTES);
  [server, client] = await Promise.all([SystemHost.boot("vault01"), SystemHost.boot("web01")]);
  // Addresses of the example configurations.
  await server.connect(client, "lan0", ["10.0.0.6/24", "10.0.0.7/24"]);
  const file = await makePackage(folder);
  for (const host of [server, client]) {
    await host.attach(lun.path, LUN_LINK);
    cpSync(file, host.path("/root/lan-free-agent_test.deb"));
    await host.good(`echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/yes`);
  }
}, TIMEOUT_MS);

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await client?.[Symbol.asyncDispose]();
  lun?.[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

const HOSTS: Readonly<Record<Place, () => readonly SystemHost[]>> = {
  "vault01": () => [server],
  "web01": () => [client],
  "both hosts": () => [server, client],
  "a machine that is safe": () => [server],
};

/** Runs the commands of a chapter of the guide where it says, or those of one place. */
async function follow(chapter: string, only?: Place): Promise<string> {
  let said = "";
  for (const { where, command } of commandsOf(GUIDE, chapter)) {
    if (only !== undefined && where !== only) continue;
    // These hosts have no udev: what its rule does was done by hand.
    if (command.startsWith("udevadm")) continue;
    for (const host of HOSTS[where]()) said += `$ ${command}\n${await host.good(command)}`;
  }
  return said;
}

const json = async (host: SystemHost, command: string) =>
  (await host.good(`${command} --json`)).split("\n").filter((line) => line !== "")
    .map((line) => JSON.parse(line));

test("the package is installed, and its units are good", async () => {
  await follow("2. The program");
  await server.good(`chgrp agent ${lun.path}`);
  const units = "agent-server.service agent-client.service";
  for (const host of [server, client]) {
    expect(await host.good(`systemd-analyze verify ${units}`)).toBe("");
    expect((await host.run(`systemctl is-active ${units}`)).output).toBe("inactive\ninactive\n");
  }
}, TIMEOUT_MS);

test("certificates, configurations, and the doctor of each host", async () => {
  await follow("3. Certificates", "a machine that is safe");
  for (const [host, name] of [[server, "vault01"], [client, "web01"]] as const) {
    await host.good("mkdir /etc/agent/pki");
    for (const file of ["ca.pem", `${name}.pem`, `${name}.key`]) {
      cpSync(server.path(`/root/pki/${file}`), host.path(`/etc/agent/pki/${file}`));
    }
  }
  await follow("3. Certificates", "vault01");
  const said = await follow("4. Configurations");
  expect(said).not.toContain("FAIL");
  expect(said).toContain("1 volume of");
}, TIMEOUT_MS);

test("both units become ready, and files and a database come back", async () => {
  await client.good("mkdir -p /srv/app && sqlite3 /srv/app/app.db 'create table t(a)'");
  const said = await follow("5. Start");
  expect(said).toMatch(/storage +lun0 +YES/);
  expect(said).toMatch(/network +- +YES .*TLS/);
  expect(await client.good("diff -r --no-dereference /etc /srv/restored/etc")).toBe("");
  expect(await client.good("sqlite3 /srv/restored-app/app.db .schema")).toContain("TABLE t(a)");
  for (const [host, unit] of [[server, "agent-server"], [client, "agent-client"]] as const) {
    expect(await host.good(`systemctl show -P StatusText ${unit}`)).toMatch(
      /^ready on 0\.0\.0\.0:/,
    );
    expect(await host.good("agent doctor")).toContain("with TLS");
  }
  expect(await server.good("agent doctor")).toContain("clock shows what the server's does");
}, TIMEOUT_MS);

test("a reload takes a new schedule, keeps the job that runs, and the schedule runs", async () => {
  await client.good(MAKE_LARGE);
  const running = json(server, "agent backup filesystem --client web01 /srv/large");
  running.catch(() => {}); // Awaited below.
  const [job] = await until(TIMEOUT_MS, "a running job", async () => {
    const jobs = await json(server, "agent jobs");
    const found = jobs.filter(({ state }) => state === "running");
    return found.length > 0 ? found : null;
  });
  const line = 'minute: { client: web01, paths: [/etc], cron: "* * * * *" }';
  await server.good(`sed -i '/^schedules:/a\\  ${line}' /etc/agent/server.yaml`);
  await server.good("systemctl reload agent-server");
  expect((await json(server, `agent job ${job.job}`))[0]).toMatchObject({ state: "running" });
  await server.good("cp /etc/agent/server.yaml good && echo 'stgz: 1' >>/etc/agent/server.yaml");
  expect((await server.run("systemctl reload agent-server")).code).toBe(1);
  await server.good("cat good >/etc/agent/server.yaml && systemctl is-active agent-server");
  expect((await running).at(-1)).toMatchObject({ job: job.job, status: "ok", fallback: null });
  await until(MINUTE_MS, "a run of the schedule", async () => {
    const schedules = await json(server, "agent schedules");
    return schedules.find(({ schedule, lastSuccess }) => schedule === "minute" && lastSuccess) ??
      null;
  });
}, TIMEOUT_MS);

test("a daemon that hangs is started anew, and one that is stopped cancels its job", async () => {
  const dropIn = "/etc/systemd/system/agent-server.service.d/soon.conf";
  const soon = "[Service]\\nWatchdogSec=2s\\nRestartSec=100ms\\n";
  await server.good(`mkdir -p $(dirname ${dropIn}) && printf '${soon}' >${dropIn}`);
  await server.good("systemctl daemon-reload && systemctl restart agent-server");
  await server.good("kill -STOP $(systemctl show -P MainPID agent-server)");
  await until(TIMEOUT_MS, "a restart of the daemon that hangs", async () => {
    const { output } = await server.run("systemctl show -P NRestarts -P ActiveState agent-server");
    return /^1\nactive$/m.test(output) || /^active\n1$/m.test(output) ? true : null;
  });
  await server.good(`rm ${dropIn} && systemctl daemon-reload && systemctl restart agent-server`);

  const backups = await json(server, "agent backups");
  const running = server.run("agent backup filesystem --full --client web01 /srv/large");
  await until(
    TIMEOUT_MS,
    "a running job",
    async () =>
      (await json(server, "agent jobs")).some(({ state }) => state === "running") ? true : null,
  );
  await server.good("systemctl stop agent-server");
  expect((await running).code).not.toBe(0);
  expect(await server.good("systemctl show -P Result agent-server")).toBe("success\n");
  await server.good("systemctl start agent-server");
  expect((await json(server, "agent backups")).length).toBe(backups.length);
}, TIMEOUT_MS);

test("an intruder is kept out", async () => {
  // Another authority's certificate for the same name, from the client's own host.
  await client.good("agent pki init other && agent pki issue other web01");
  await client.good("sed 's#pki/#/root/other/#g' /etc/agent/client.yaml >other.yaml");
  const stranger = await client.run("agent doctor --config other.yaml");
  expect([stranger.code, /^FAIL +peer vault01: .*certificate/m.test(stranger.output)])
    .toEqual([1, true]);
  // Another user of the server's host, and of the client's.
  for (const host of [server, client]) {
    const user = await host.run("runuser -u nobody -- agent backups");
    expect([user.code, user.output.includes("hint:")]).toEqual([15, true]);
    expect((await host.run("runuser -u nobody -- cat /etc/agent/pki/*.key")).code).not.toBe(0);
  }
}, TIMEOUT_MS);

test("the page shows the backups to who has the token", async () => {
  using tunnel = await Tunnel.open(server.network);
  const origin = `http://127.0.0.1:${tunnel.port}`;
  const control = `control: ${origin}\\ncontrol_token: token`;
  await server.good(`sed -i 's#^control:.*#${control}#' /etc/agent/server.yaml`);
  await follow("6. The page");
  expect((await server.run(`agent backups --control ${origin}`)).code).toBe(12);
  const browser = await Browser.start();
  try {
    const token = await server.good("cat /etc/agent/token");
    await browser.open(`${origin}/#Backups`);
    await browser.until(`document.documentElement.dataset.ready === "login"`);
    await browser.type(token.trim());
    await browser.press("Enter");
    await browser.until(`document.body.innerText.includes("web01")`);
    const shots = process.env["SCREENSHOTS"];
    if (shots !== undefined) await browser.screenshot(`${shots}/install.png`, "light");
  } finally {
    await browser.close();
  }
}, TIMEOUT_MS);

test(
  "an upgrade leaves the daemons, a removal ends them and keeps what was backed up",
  async () => {
    const daemon = await server.good("systemctl show -P MainPID agent-server");
    await server.good("dpkg --install ./lan-free-agent_test.deb");
    expect(await server.good("systemctl show -P MainPID agent-server")).toBe(daemon);
    await server.good("apt-get purge lan-free-agent");
    expect((await server.run("systemctl is-active agent-server")).output).toBe("inactive\n");
    await server.good("test ! -L /etc/systemd/system/multi-user.target.wants/agent-server.service");
    expect(await server.good("ls /var/lib/agent/vault/media/*.tar.zst")).toContain("web01");
    await server.good("test -s /etc/agent/server.yaml && test -s /etc/agent/pki/vault01.key");
  },
  TIMEOUT_MS,
);
