// `agent wal push FILE`: PostgreSQL's archive_command. The command opens the file itself, as the
// database's user, and tells which cluster it runs for. The daemon mostly sees the file, too, and
// has carried it already: then the command only proves that both mean the same bytes. Where it does
// not, the bytes go to it, so that it needs no right to the file.

import { createHash } from "node:crypto";
import { AgentError } from "../../../transport/ground/error.ts";
import { AT_CWD, readSmallFile, SystemError } from "../../../transport/runtime/mod.ts";
import { textOf } from "../../control/control_connection.ts";
import { MAX_WAL_REQUEST_BYTES } from "../../control/limits.ts";
import { EXIT_OK } from "../../exit_code.ts";
import { DAEMON_OPTIONS, type LogCommand, type LogContext } from "../command.ts";
import { clusterOf, DATABASE_OPTION, walPath } from "../wal_cluster.ts";

/** Bytes of a piece that is read at once: what the processor's cache holds. */
const PIECE_BYTES = 256 * 1024;

export const walPush: LogCommand = {
  name: "wal push",
  summary: "Archive a file of PostgreSQL's write-ahead log (its archive_command)",
  details:
    "Ends with 0 when the file is durable in the vault, also when the same bytes were there\n" +
    "before, and with 1 to 125 otherwise. Other bytes under a name that is taken are refused.",
  arguments: [{ name: "FILE", help: "The file, as `%p` names it", required: true }],
  options: [DATABASE_OPTION, ...DAEMON_OPTIONS],
  examples: [
    "agent wal push pg_wal/000000010000000000000001 --database pg",
    "agent wal push %p --database pg --control unix:/run/agent/wal.sock  # archive_command",
  ],
  run: async (context) => {
    const file = context.absolute(context.given.requiredArgument("FILE"));
    const name = file.slice(file.lastIndexOf("/") + 1);
    const system = clusterOf(context.runtime.files, file);
    const path = walPath(context.given.requiredValue("database"), name, system);
    const daemon = context.connection();
    const digest = reading(file, () => digestOf(context, file));
    let outcome = outcomeOf(await daemon.ask({ method: "POST", path, body: digest }));
    if (outcome === "unlike") {
      const body = reading(file, () => contentOf(context, file));
      outcome = outcomeOf(await daemon.ask({ method: "PUT", path, body }));
    }
    if (outcome !== "stored" && outcome !== "same") throw noAnswer(outcome);
    if (context.json) context.out.write(1, `${JSON.stringify({ type: "wal", name, outcome })}\n`);
    return EXIT_OK;
  },
};

/** Length and SHA-256, of a file whose length is in bounds. @throws SystemError | AgentError */
function digestOf({ runtime: { files } }: LogContext, file: string) {
  const descriptor = files.open(AT_CWD, file, { access: "read" });
  try {
    const hash = createHash("sha256");
    const piece = new Uint8Array(PIECE_BYTES);
    for (let bytes = 0;;) {
      const count = files.read(descriptor, piece);
      if (count === 0) {
        if (bytes === 0) throw misfit(file, "nothing");
        return { bytes, sha256: hash.digest("hex") };
      }
      hash.update(piece.subarray(0, count));
      bytes += count;
      if (bytes > MAX_WAL_REQUEST_BYTES) throw misfit(file, "more");
    }
  } finally {
    files.close(descriptor);
  }
}

function contentOf({ runtime }: LogContext, file: string): Uint8Array {
  const bytes = readSmallFile(runtime.files, file, MAX_WAL_REQUEST_BYTES);
  if (bytes === null) throw misfit(file, "more");
  return bytes;
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    const message = `Cannot read "${file}": found ${cause.errno}, need a file of the log`;
    throw new AgentError("failed", message, { cause });
  }
}

function misfit(file: string, found: string): AgentError {
  const message = `Cannot archive "${file}": found ${found} in it, need at most ` +
    `${MAX_WAL_REQUEST_BYTES} bytes`;
  return new AgentError("usage", message);
}

/** What the daemon says of a file. */
function outcomeOf(answer: Uint8Array): unknown {
  try {
    const body: unknown = JSON.parse(textOf(answer));
    return typeof body === "object" && body !== null && "outcome" in body ? body.outcome : null;
  } catch {
    return null;
  }
}

function noAnswer(found: unknown): AgentError {
  const message = `Cannot use the daemon's answer: found ${JSON.stringify(found)}, need an outcome`;
  return new AgentError("mismatch", message, {
    hint: "Use the same version of the program for the command and the daemon.",
  });
}
