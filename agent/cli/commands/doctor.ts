// `agent doctor`: is this installation in order, and if not, what is to be done?

import { AT_CWD, type Files, SystemError } from "../../../transport/runtime/files.ts";
import type { Finding, Verdict } from "../../doctor/mod.ts";
import { EXIT_FAILED, EXIT_OK } from "../../exit_code.ts";
import { type Command, JSON_OPTION } from "../command.ts";
import { type Paint, printable } from "../output.ts";

export const doctor: Command = {
  name: "doctor",
  summary: "Check this installation; exit 1 when something is wrong",
  details:
    "Looks at the configuration, certificates, directories, kernel, shared volumes, daemon\n" +
    "and peers. Works without a daemon and writes nothing. Without options it looks at what\n" +
    "/etc/agent has.",
  arguments: [],
  options: [
    { name: "config", value: "FILE", help: "Configuration (default /etc/agent/ROLE.yaml)" },
    {
      name: "role",
      value: "ROLE",
      help: "Whose configuration it is",
      choices: ["server", "client"],
    },
    JSON_OPTION,
  ],
  examples: ["agent doctor", "agent doctor --config /etc/agent/server.yaml --json"],
  async run({ given, runtime, out, json, offline, absolute, version }) {
    const asked = given.value("role");
    const role = asked === "server" || asked === "client" ? asked : null;
    const config = given.value("config");
    const files = config === null ? installed(runtime.files, role) : [absolute(config)];
    const parts = { runtime, version, readGroup: (await offline()).stgStatus };
    // What it looks at is more than other commands need.
    const { examine } = await import("../../doctor/mod.ts");
    const findings: Finding[] = [];
    for (const file of files) findings.push(...await examine(parts, file, role));
    for (const finding of findings) {
      const line = json
        ? JSON.stringify({ type: "finding", ...finding })
        : render(finding, out.paint(1));
      out.write(1, `${line}\n`);
    }
    return findings.some(({ verdict }) => verdict === "fail") ? EXIT_FAILED : EXIT_OK;
  },
};

/** The files of the roles that this host has; that of the server when it has none. */
function installed(files: Files, role: "server" | "client" | null): readonly string[] {
  const paths = (role === null ? ["server", "client"] : [role])
    .map((one) => `/etc/agent/${one}.yaml`);
  const there = paths.filter((path) => exists(files, path));
  return there.length === 0 ? paths.slice(0, 1) : there;
}

function exists(files: Files, path: string): boolean {
  try {
    files.stat(AT_CWD, path);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    throw error;
  }
}

const WORDS: Readonly<Record<Verdict, string>> = { ok: "OK  ", warn: "WARN", fail: "FAIL" };

function render({ check, subject, verdict, message, hint }: Finding, paint: Paint): string {
  const colour = { ok: paint.green, warn: paint.yellow, fail: paint.red }[verdict];
  const line = `${colour(WORDS[verdict])}  ${check} ${printable(subject)}: ${printable(message)}`;
  return hint === null ? line : `${line}\n      ${printable(hint)}`;
}
