// Jobs with live progress, and one job: its throughput per channel and the ladder of its
// connections.

import { ask, button, h, mark, size, table } from "./dom.js";
import { throughput } from "./throughput.js";

/** Streams at once: a browser has six connections to one host. */
const STREAMS_MAX = 3;
const ROWS_MAX = 100;
const CLIENT_HEADS = ["Client", "Kind", "Last backup", "Last success"];
const SCHEDULE_HEADS = ["Schedule", "When", "Next", "Last run", "Outcome"];
const streams = new Map();

export function closeStreams() {
  for (const stream of streams.values()) stream.close();
  streams.clear();
}

/** Calls `on` for each event of a job until its summary. */
function follow(job, on) {
  if (streams.has(job) || streams.size >= STREAMS_MAX) return;
  const stream = new EventSource(`/v1/jobs/${encodeURIComponent(job)}/events`);
  streams.set(job, stream);
  for (const type of ["progress", "warning", "error", "summary"]) {
    stream.addEventListener(type, ({ data }) => {
      if (data === undefined) return; // The stream's own trouble: it comes again by itself.
      on(JSON.parse(data));
      if (type !== "summary") return;
      stream.close();
      streams.delete(job);
    });
  }
}

export async function jobsView([id]) {
  if (id !== undefined) return await jobView(id);
  const element = h("div");
  const live = new Map();
  const refresh = async () => {
    const [all, status] = await Promise.all([ask("/v1/jobs"), ask("/v1/status")]);
    const jobs = all.slice(-ROWS_MAX).reverse();
    for (const { job, summary } of jobs) {
      if (summary === null) follow(job, (body) => progressed(live.get(job), body));
    }
    keepFocus(element, () => element.replaceChildren(jobTable(jobs, live), ...planned(status)));
  };
  await refresh();
  return { element, refresh };
}

/** How old the newest backups are, and what the daemon starts by itself. */
function planned({ clients, schedules }) {
  const last = clients.map(({ client, kind, database, lastBackup, lastSuccess }) => [
    client,
    database === null ? kind ?? "" : `${kind} ${database}`,
    lastBackup ?? "",
    lastSuccess ?? mark("failed", "never"),
  ]);
  const plans = schedules.map(({ schedule, cron, timeZone, next, lastRun, lastOutcome }) => [
    schedule,
    `${cron} ${timeZone}`,
    next ?? "",
    lastRun ?? "",
    lastOutcome === null ? "" : mark(lastOutcome),
  ]);
  return [
    ...last.length > 0 ? [table("Clients", CLIENT_HEADS, last)] : [],
    ...plans.length > 0 ? [table("Schedules", SCHEDULE_HEADS, plans)] : [],
  ];
}

function jobTable(jobs, live) {
  const heads = ["Job", "Kind", "Client", "State", "Progress", "Bytes", "Storage", "Network"];
  const rows = jobs.map(({ job, kind, client, state, summary, progress }) => {
    const cells = { bar: h("progress", { "aria-label": `Progress of ${job}`, max: 1 }) };
    for (const name of ["bytes", "storage", "network"]) cells[name] = h("span");
    const open = button(job, () => location.hash = `Jobs/${encodeURIComponent(job)}`, {
      "data-key": job,
    });
    if (summary === null) live.set(job, cells);
    else cells.bar = mark(summary.status, `${summary.seconds} s`);
    progressed(cells, summary ?? progress);
    const { bar, bytes, storage, network } = cells;
    return [open, kind, client ?? "", mark(state), bar, bytes, storage, network];
  });
  return table("Jobs", heads, rows);
}

/** Writes what an event says into the cells of its job. */
function progressed(cells, body) {
  if (cells === undefined || body?.channels === undefined) return;
  const { bytes, totalBytes, channels } = body;
  cells.bytes.textContent = size(bytes ?? 0);
  cells.storage.textContent = size(channels.storage.bytes);
  cells.network.textContent = size(channels.network.bytes);
  if (totalBytes > 0) cells.bar.value = bytes / totalBytes;
}

/** Replaces content; what had the focus has it again. */
function keepFocus(element, replace) {
  const key = element.contains(document.activeElement)
    ? document.activeElement.getAttribute("data-key")
    : null;
  replace();
  const again = [...element.querySelectorAll("[data-key]")].find((one) =>
    one.getAttribute("data-key") === key
  );
  again?.focus();
}

async function jobView(id) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const chart = throughput();
  const log = h("ul");
  const facts = h("p");
  const figures = h("div");
  const element = h("div", null, h("h2", null, `Job ${id}`), facts, chart.element, log, figures);
  const refresh = async () => {
    const job = await ask(path);
    const stop = () => ask(path, { method: "DELETE" }).then(refresh);
    facts.replaceChildren(
      `${job.kind} of ${job.client ?? "the server"}, ${job.created}: `,
      mark(job.state),
      job.summary?.fallback ? `, over the network: ${job.summary.fallback} ` : " ",
      job.summary === null ? button("Cancel", stop) : "",
    );
    figures.replaceChildren(...(await ask(`${path}/ladder`)).map(figureTable));
  };
  await refresh();
  follow(id, (body) => {
    if (body.channels !== undefined) chart.add(body);
    if (body.type === "warning" || body.type === "error") {
      log.append(h("li", { class: body.type === "error" ? "failed" : "incomplete" }, body.message));
    }
  });
  return { element, refresh };
}

function figureTable({ title, rows }) {
  const cell = (step) =>
    step === null
      ? ""
      : h("span", { class: step.skipped ? "skipped" : "" }, `${step.step}  ${step.call}`);
  const time = (step) => step === null ? "" : `${step.atMs.toFixed(1)} ms`;
  const arrow = { server: "→", client: "←" };
  return table(
    title,
    ["Time", "Server", "", "Client", "Time"],
    rows.map(({ server, client, from }) => [
      time(server),
      cell(server),
      arrow[from] ?? "",
      cell(client),
      time(client),
    ]),
  );
}
