// What the kernel and this user must have: calls that carry nanoseconds, asynchronous I/O on raw
// devices, rights for everybody's files on a client, a clock that is not before the program's own.

import { AT_CWD, readSmallFile, type Runtime } from "../../transport/mod.ts";
import type { Config } from "../config/mod.ts";
import { doubtful, failed, type Finding, good } from "./finding.ts";
import { AIO_REQUESTS_MIN } from "./limits.ts";

/** Nobody's clock is right before this program was written. */
const OLDEST_MS = Date.parse("2026-01-01T00:00:00Z");

type KernelParts = Pick<Runtime, "files" | "process" | "clock">;

export function checkKernel(parts: KernelParts, config: Config): readonly Finding[] {
  const findings = [checkCalls(parts), checkUser(parts, config), checkClock(parts)];
  const hasRaw = config.stgs.some(({ array }) => array === null);
  return hasRaw ? [...findings, checkAio(parts)] : findings;
}

function checkCalls({ files }: KernelParts): Finding {
  const said = { check: "kernel", subject: "statx" };
  try {
    files.stat(AT_CWD, "/");
    return good(said, "files are looked at with nanoseconds");
  } catch (error) {
    return failed(said, error);
  }
}

function checkAio({ files }: KernelParts): Finding {
  const said = { check: "kernel", subject: "aio" };
  const count = (name: string) => {
    const bytes = readSmallFile(files, `/proc/sys/fs/${name}`, 64);
    return Number(new TextDecoder().decode(bytes ?? new Uint8Array()));
  };
  try {
    const free = count("aio-max-nr") - count("aio-nr");
    const text = `${free} requests of asynchronous I/O are free`;
    if (free >= AIO_REQUESTS_MIN) return good(said, text);
    return doubtful(said, text, "Raise it: `sysctl fs.aio-max-nr=1048576`, and in sysctl.d.");
  } catch (error) {
    return failed(said, error);
  }
}

function checkUser({ process }: KernelParts, config: Config): Finding {
  const { uid } = process.user;
  const said = { check: "user", subject: String(uid) };
  if (config.role === "server" && uid === 0) {
    const other = "what the unit's user may do, `runuser -u agent -- agent doctor` says";
    return good(said, `user 0 runs this; ${other}`);
  }
  if (config.role === "server" || uid === 0) return good(said, `user ${uid} runs this`);
  return doubtful(
    said,
    `user ${uid} runs this: files of others are not backed up, owners not restored`,
    "Run the client as root, as its unit does.",
  );
}

function checkClock({ clock }: KernelParts): Finding {
  const nowMs = clock.wallMs();
  const said = { check: "clock", subject: "this host" };
  const text = new Date(nowMs).toISOString();
  if (nowMs >= OLDEST_MS) return good(said, text);
  return doubtful(said, `it shows ${text}`, "Set the clock, and let NTP keep it.");
}
