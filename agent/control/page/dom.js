// Elements from data. Text is set as text and never as markup: names of files are hostile.

const SVG = "http://www.w3.org/2000/svg";

/** An element; functions among `props` listen, everything else is an attribute. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** An element of a picture. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null).map(asNode));
  return element;
}

function asNode(child) {
  return child instanceof Node ? child : document.createTextNode(visible(String(child)));
}

/** Control and direction characters as marks: a name must not look like another one. */
export function visible(text) {
  return text.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

/** A table under a heading; says so when it has no rows. */
export function table(title, heads, rows) {
  const head = h("tr", null, heads.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map((row) => h("tr", null, row.map((cell) => h("td", null, cell))));
  return h(
    "section",
    null,
    h("h2", null, title),
    rows.length === 0
      ? h("p", { class: "dim" }, "None.")
      : h("div", { class: "scroll" }, h("table", null, head, body)),
  );
}

export function button(text, click, props) {
  return h("button", { type: "button", click, ...props }, text);
}

export function mark(state, text) {
  return h("span", { class: state }, text ?? state);
}

/** Bytes for people. */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export class Problem extends Error {
  constructor(status, { detail, hint } = {}) {
    super(detail === undefined ? `HTTP status ${status}` : `${detail}${hint ? ` ${hint}` : ""}`);
    this.status = status;
  }
}

/** Asks the endpoint. @throws Problem */
export async function ask(path, { method = "GET", body } = {}) {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : await answer.json();
  throw new Problem(answer.status, await answer.json().catch(() => undefined));
}
