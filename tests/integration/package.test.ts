// The Debian package, unpacked into a folder: files and modes, units that systemd takes, scripts
// that make the user and the directories and start nothing, and a program that runs.
//
// It is made of the binary under test; of the sources a word that starts them takes its place.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../agent/daemon_parts.ts";
import { programCommand } from "./program.ts";

const TIMEOUT_MS = 120_000;
const BUILD = fileURLToPath(import.meta.resolve("../../scripts/build-deb"));
const UNITS = ["agent-server.service", "agent-client.service"] as const;

/** What `systemd-analyze security` counts in tenths: 4.0 is the bound. */
const EXPOSURE_MAX = "40";

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

function run(command: string, args: readonly string[], env: Record<string, string> = {}): Ran {
  const done = spawnSync(command, args, {
    env: { ...process.env, NO_COLOR: "1", ...env },
    encoding: "utf8",
  });
  return { code: done.status, output: `${done.stdout}${done.stderr}${done.error ?? ""}` };
}

function good(command: string, ...args: readonly string[]): string {
  const { code, output } = run(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${output}`);
  return output;
}

/** Makes the package; to press a program together takes a minute. @returns its file */
function build(binary: string, output: string): string {
  return good(BUILD, "--binary", binary, "--output", output, "--compression", "none").trim();
}

describe("Debian package", () => {
  let folder = "";
  let root = "";
  let file = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "agent-package-"));
    root = join(folder, "root");
    const starter = join(folder, "starter");
    writeFileSync(starter, `#!/bin/sh\nexec ${programCommand().join(" ")} "$@"\n`);
    chmodSync(starter, 0o755);
    const binary = process.env["AGENT_BINARY"] || starter;
    file = build(binary, folder);
    good("dpkg-deb", "--extract", file, root);
    good("dpkg-deb", "--control", file, join(folder, "control"));
  }, TIMEOUT_MS);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const at = (path: string) => join(root, path);
  const mode = (path: string) => (statSync(at(path)).mode & 0o7777).toString(8);

  test("has the program, units, examples, manual page, completions and documents", () => {
    expect(good(at("usr/bin/agent"), "--version")).toBe(`agent ${VERSION}\n`);
    expect([mode("usr/bin/agent"), mode("etc/agent"), mode("etc/agent/server.yaml.example")])
      .toEqual(["755", "750", "640"]);
    expect(good("man", "--warnings", "-l", at("usr/share/man/man1/agent.1.gz")))
      .toContain("agent backup filesystem");
    for (
      const path of [
        "usr/lib/tmpfiles.d/agent.conf",
        "usr/lib/sysusers.d/agent.conf",
        "usr/share/bash-completion/completions/agent",
        "usr/share/zsh/vendor-completions/_agent",
        "usr/share/fish/vendor_completions.d/agent.fish",
        "usr/share/doc/lan-free-agent/configuration.md",
        "usr/share/doc/lan-free-agent/copyright",
      ]
    ) expect([path, statSync(at(path)).size > 0, mode(path)]).toEqual([path, true, "644"]);
    const conffiles = readFileSync(join(folder, "control/conffiles"), "utf8").trim().split("\n");
    for (const path of conffiles) expect([path, existsSync(at(path))]).toEqual([path, true]);
    expect(readdirSync(at("etc/agent"))).toEqual(["client.yaml.example", "server.yaml.example"]);
  });

  test("its examples are good configurations", () => {
    for (const role of ["server", "client"]) {
      const example = at(`etc/agent/${role}.yaml.example`);
      expect(good(at("usr/bin/agent"), "config", "check", example)).toContain(`a good ${role}`);
    }
  }, TIMEOUT_MS);

  test("its units are what systemd takes, no more exposed than 4.0", () => {
    const units = UNITS.map((unit) => {
      const installed = at(`usr/lib/systemd/system/${unit}`);
      expect(mode(`usr/lib/systemd/system/${unit}`)).toBe("644");
      const path = join(folder, unit);
      // The program is in the folder, not on this machine.
      writeFileSync(
        path,
        readFileSync(installed, "utf8").replaceAll("=/usr/bin", `=${root}/usr/bin`),
      );
      return path;
    });
    expect(run("systemd-analyze", ["verify", "--man=no", ...units]))
      .toEqual({ code: 0, output: "" });
    for (const unit of units) {
      const args = ["security", "--offline=true", `--threshold=${EXPOSURE_MAX}`, unit];
      expect(run("systemd-analyze", args).code).toBe(0);
    }
  });

  test("the script after the installation makes what is missing, and starts nothing", () => {
    const calls = join(folder, "calls");
    const tools = join(folder, "tools");
    mkdirSync(tools);
    for (const tool of ["systemd-sysusers", "systemd-tmpfiles", "systemctl", "chgrp"]) {
      const path = join(tools, tool);
      writeFileSync(path, `#!/bin/sh\necho ${tool} "$@" >>${calls}\n`);
      chmodSync(path, 0o755);
    }
    const script = join(folder, "control/postinst");
    const env = { PATH: `${tools}:${process.env["PATH"]}` };
    expect(run(script, ["triggered"], env)).toEqual({ code: 0, output: "" });
    expect(existsSync(calls)).toBe(false);
    expect(run(script, ["configure"], env)).toEqual({ code: 0, output: "" });
    const called = readFileSync(calls, "utf8").split("\n");
    expect(called.slice(0, 3)).toEqual([
      "systemd-sysusers agent.conf",
      "systemd-tmpfiles --create agent.conf",
      "chgrp agent /etc/agent",
    ]);
    const rest = called.slice(3).filter((call) => call !== "");
    expect(rest.every((call) => call === "systemctl daemon-reload")).toBe(true);
  });

  test("a purge takes what enabled the units; a removal leaves it, as configurations", () => {
    const wants = join(folder, "etc/systemd/system/multi-user.target.wants");
    mkdirSync(wants, { recursive: true });
    for (const unit of [...UNITS, "other.service"]) {
      symlinkSync(`/usr/lib/systemd/system/${unit}`, join(wants, unit));
    }
    const tools = join(folder, "purge-tools");
    mkdirSync(tools);
    writeFileSync(join(tools, "systemctl"), "#!/bin/sh\n", { mode: 0o755 });
    const env = { PATH: `${tools}:${process.env["PATH"]}`, DPKG_ROOT: folder };
    const after = (word: string) => {
      const ran = run(join(folder, "control/postrm"), [word], env);
      expect(ran).toEqual({ code: 0, output: "" });
      return readdirSync(wants).toSorted();
    };
    expect(after("remove")).toEqual([...UNITS, "other.service"].toSorted());
    expect(after("purge")).toEqual(["other.service"]);
    expect(after("purge")).toEqual(["other.service"]);
  });

  test("the same program and sources make the same package", () => {
    const again = join(folder, "again");
    const starter = process.env["AGENT_BINARY"] || join(folder, "starter");
    expect(readFileSync(build(starter, again)).equals(readFileSync(file))).toBe(true);
  }, TIMEOUT_MS);
});
