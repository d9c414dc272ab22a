// What the systemd unit of a role sets in the environment of its daemon: demonstrations and
// benchmarks start daemons as the packages do.

import { readFileSync } from "node:fs";

export type Role = "server" | "client";

const LINE = /^Environment=(.*)$/gm;

export function unitEnvironment(role: Role): Readonly<Record<string, string>> {
  const { pathname } = new URL(`../systemd/agent-${role}.service`, import.meta.url);
  const unit = readFileSync(pathname, "utf8");
  const pairs = [...unit.matchAll(LINE)].flatMap(([, text = ""]) => text.split(" "));
  return Object.fromEntries(pairs.map((pair) => {
    const at = pair.indexOf("=");
    return [pair.slice(0, at), pair.slice(at + 1)];
  }));
}
