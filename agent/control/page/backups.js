// Backups of each client as a calendar, a backup's files, and starting a restore of them.

import { ask, button, h, mark, size, table } from "./dom.js";

const WEEKS = 26;
const DAY_MS = 86_400_000;
const ROWS_MAX = 200;

export async function backupsView([backup, path, pathBase64]) {
  if (backup !== undefined) return { element: await browse(backup, path, pathBase64) };
  const { role, clients: last } = await ask("/v1/status");
  if (role !== "server") return { element: h("p", null, "A client keeps no backups.") };
  const backups = await ask("/v1/backups");
  const list = h("div", { "aria-live": "polite" }, listOf("Newest backups", backups));
  const clients = [...new Set(backups.map(({ client }) => client))].sort();
  const element = h(
    "div",
    null,
    clients.map((client) =>
      calendar(client, backups.filter((one) => one.client === client), (day, found) => {
        list.replaceChildren(listOf(`${client} on ${day}`, found));
      })
    ),
    last.filter(({ kind }) => kind === null).map(({ client }) =>
      h("section", null, h("h2", null, client), h("p", null, mark("failed", "Never backed up.")))
    ),
    list,
  );
  return { element };
}

/** A column for each week, a row for each day of it. */
function calendar(client, backups, choose) {
  const byDay = new Map();
  for (const backup of backups) {
    const day = backup.time.slice(0, 10);
    byDay.set(day, [...byDay.get(day) ?? [], backup]);
  }
  const today = Math.floor(Date.now() / DAY_MS);
  const newest = Date.parse(backups.at(-1).time) / DAY_MS;
  // An old vault is looked at, too: the last week is that of its newest backup.
  const end = Math.min(today, Math.floor(newest) + 7 * (WEEKS - 1));
  const sunday = end - (end + 4) % 7;
  const rows = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].map((name, weekday) => {
    const cells = Array.from({ length: WEEKS }, (_, week) => {
      const date = sunday - 7 * (WEEKS - 1 - week) + weekday;
      const day = new Date(date * DAY_MS).toISOString().slice(0, 10);
      return h("td", null, dayCell(client, day, byDay.get(day), choose));
    });
    return h("tr", null, h("th", { scope: "row" }, name), cells);
  });
  return h(
    "section",
    null,
    h("h2", null, client),
    h("div", { class: "scroll" }, h("table", { class: "calendar" }, rows)),
  );
}

function dayCell(client, day, found, choose) {
  if (found === undefined) return h("span", { class: "dim", title: day }, "·");
  const worst = found.some(({ status }) => status !== "ok") ? "incomplete" : "ok";
  const label = `${client}, ${day}: ${found.length} backups, ${worst}`;
  const click = () => choose(day, found);
  return button("", click, { class: `day-${worst}`, "aria-label": label, title: label });
}

function listOf(title, backups) {
  const heads = ["Backup", "Client", "Kind", "Time", "State", "Channel", "Files", "Bytes"];
  const rows = backups.slice(-ROWS_MAX).reverse().map((one) => [
    button(one.backup, () => go(one.backup)),
    one.client,
    one.database === null ? `${one.kind}, ${one.level}` : `${one.kind} ${one.database}`,
    one.time,
    mark(one.status),
    channelOf(one),
    one.files,
    size(one.bytes),
  ]);
  return table(title, heads, rows);
}

/** What carried the data, and why not the storage alone; the network carries control always. */
function channelOf({ channels, fallback }) {
  const { storage, network } = channels;
  const carried = storage.bytes === 0 ? "network" : fallback === null ? "storage" : "both";
  const title = `storage ${size(storage.bytes)}, network ${size(network.bytes)}`;
  return h("span", { title }, fallback === null ? carried : `${carried}, ${fallback}`);
}

/** @param bytes of a path that is no UTF-8, or below one, in base64 */
function go(backup, path, bytes) {
  const parts = [backup, path, bytes].filter((part) => typeof part === "string");
  location.hash = `Backups/${parts.map(encodeURIComponent).join("/")}`;
}

async function browse(id, path, bytes) {
  const route = `/v1/backups/${encodeURIComponent(id)}`;
  const [key, value] = bytes === undefined ? ["path", path] : ["pathBase64", bytes];
  const query = path === undefined ? "" : `?${key}=${encodeURIComponent(value)}`;
  const [detail, entries] = await Promise.all([ask(route), ask(`${route}/entries${query}`)]);
  const rows = entries.map((entry) => [
    entry.type === "directory" && entry.path !== path
      ? button(entry.path, () => go(id, entry.path, entry.pathBase64))
      : h("span", { class: "name" }, entry.path),
    entry.type,
    entry.mode,
    size(entry.bytes),
    entry.mtime.slice(0, 19),
  ]);
  const up = path === undefined ? "" : button("Up", () => goUp(id, path, bytes));
  return h(
    "div",
    null,
    h("h2", null, `Backup ${id}`),
    h("p", null, `${detail.client}, ${detail.time}, `, mark(detail.status), " ", up),
    table(path ?? "Roots", ["Name", "Type", "Mode", "Bytes", "Modified"], rows),
    detail.kind === "filesystem"
      ? restoreForm(id, path)
      : h("p", null, "A database is restored by its client's agent."),
  );
}

function goUp(id, path, bytes) {
  const above = (text) => text.slice(0, text.lastIndexOf("/"));
  const parent = above(path);
  if (parent === "") go(id);
  else go(id, parent, bytes === undefined ? undefined : btoa(above(atob(bytes))));
}

/** Starts a restore of the whole backup, or of what lies below `path`. */
function restoreForm(backup, path) {
  const target = h("input", { name: "target", required: "", placeholder: "/restored" });
  const include = h("input", { name: "include", value: path ?? "" });
  const overwrite = h(
    "select",
    { name: "overwrite" },
    ["refuse", "never", "always", "changed"].map((one) => h("option", null, one)),
  );
  const said = h("p", { class: "failed", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    const only = include.value === "" ? [] : [escapeGlob(include.value)];
    const body = {
      kind: "restore-filesystem",
      backup,
      target: target.value,
      include: only,
      overwrite: overwrite.value,
    };
    try {
      const { job } = await ask("/v1/jobs", { method: "POST", body });
      location.hash = `Jobs/${encodeURIComponent(job)}`;
    } catch (error) {
      said.textContent = error.message;
    }
  };
  return h(
    "section",
    null,
    h("h2", null, "Restore"),
    h(
      "form",
      { submit },
      h("label", null, "Directory on the client", target),
      h("label", null, "Only this path", include),
      h("label", null, "What is there", overwrite),
      h("button", null, "Restore"),
    ),
    said,
  );
}

/** A path as it is, where a pattern is asked for. */
function escapeGlob(path) {
  return path.replace(/[\\*?[\]{}()!+@]/g, "\\$&");
}
