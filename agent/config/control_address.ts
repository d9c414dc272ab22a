// The address of a control endpoint as text. Pure.

import type { ControlAddress } from "./config.ts";

/** `unix:PATH` (PATH as written) or `http://HOST:PORT`; null when `text` is neither. */
export function parseControlAddress(text: string): ControlAddress | null {
  if (text.startsWith("unix:") && text.length > "unix:".length) {
    return { kind: "unix", path: text.slice("unix:".length) };
  }
  const match = /^http:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})\/?$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port < 1 || port > 65535) return null;
  return { kind: "http", host: (match[1] ?? "").replace(/^\[|\]$/g, ""), port };
}
