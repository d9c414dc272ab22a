// The page: knows who is logged in, which view is shown, and asks again every few seconds.

import { ask, button, h, mark, size } from "./dom.js";
import { backupsView } from "./backups.js";
import { closeStreams, jobsView } from "./jobs.js";
import { storageView } from "./storage.js";

const REFRESH_MS = 3000;
const VIEWS = { Jobs: jobsView, Backups: backupsView, Storage: storageView };
const at = (id) => document.getElementById(id);

let shown = 0;

/** Shows the view that the address names: `#Jobs/ID`. */
async function show() {
  const turn = ++shown;
  const [name, ...rest] = location.hash.slice(1).split("/").map(decodeURIComponent);
  const view = Object.hasOwn(VIEWS, name) ? name : "Jobs";
  closeStreams();
  at("nav").replaceChildren(
    ...Object.keys(VIEWS).map((one) =>
      button(one, () => location.hash = one, { "aria-current": one === view ? "page" : false })
    ),
    button("Log out", () => ask("/v1/session", { method: "DELETE" }).then(logIn, tell)),
  );
  try {
    // At once: the first view is one round trip behind the scripts.
    const [{ element, refresh }] = await Promise.all([VIEWS[view](rest), status()]);
    if (turn !== shown) return;
    at("main").replaceChildren(element);
    document.documentElement.dataset.ready = view;
    if (refresh !== undefined) again(turn, refresh);
  } catch (error) {
    if (turn === shown) tell(error);
  }
}

function again(turn, refresh) {
  setTimeout(async () => {
    if (turn !== shown) return;
    try {
      await status();
      await refresh();
      again(turn, refresh);
    } catch (error) {
      if (turn === shown) tell(error);
    }
  }, REFRESH_MS);
}

async function status() {
  const { name, role, ready, reasons, version, jobs, residentBytes } = await ask("/v1/status");
  document.title = name;
  at("name").textContent = `${name}, ${role}`;
  at("state").replaceChildren(
    ready ? mark("up", "ready") : mark("down", reasons.join("; ")),
    ` · version ${version} · ${jobs.running} running, ${jobs.queued} queued · ` +
      `${size(residentBytes)} resident`,
  );
}

function tell(error) {
  if (error.status === 401) return logIn();
  at("main").replaceChildren(
    h("p", { class: "failed", role: "alert" }, error.message),
    button("Try again", show),
  );
}

function logIn() {
  shown += 1;
  closeStreams();
  at("nav").replaceChildren();
  at("state").replaceChildren();
  const token = h("input", { type: "password", name: "token", autocomplete: "off", id: "token" });
  const said = h("p", { class: "failed", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await ask("/v1/session", { method: "POST", body: { token: token.value } });
      await show();
    } catch (error) {
      said.textContent = error.message;
    }
  };
  at("main").replaceChildren(
    h("form", { submit }, h("label", null, "Token", token), h("button", null, "Log in")),
    said,
  );
  document.documentElement.dataset.ready = "login";
  token.focus();
}

addEventListener("hashchange", show);
show();
