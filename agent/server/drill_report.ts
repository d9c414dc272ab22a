// What a drill found: counts, and each difference by name as a warning of the job.
//
// What the server may not set (owners and devices when it is not root, attributes that the scratch
// directory's file system does not take) is no fault of the backup: such entries are counted as
// unproved, and what differs of them for that reason is no difference. The media's members are
// compared with the catalog all the same.

import { AgentError } from "../../transport/mod.ts";
import type { ApplicationWarning, Difference } from "../application/mod.ts";
import type { Drill } from "../control/drill_view.ts";
import type { Entry } from "../entry.ts";
import type { WorkerSession } from "../job/mod.ts";
import { LOST } from "./send_restore.ts";
import { DRILL_DIFFERENCES_TOLD, DRILL_LOST_MAX, DRILL_UNPROVED_MAX } from "./limits.ts";

/** Why a restore may not do something; anything else is a difference. */
const NOT_PERMITTED = /\b(EPERM|EACCES|EOPNOTSUPP|ENOTSUP)\b/;

/** What cannot be as it should when that was not permitted. */
const FOLLOWS: Readonly<Record<string, readonly Difference[]>> = {
  // Setuid and setgid bits are left out with the owner.
  owner: ["owner", "mode"],
  mode: ["mode"],
  times: ["mtime"],
  acl: ["xattr", "mode"],
  capability: ["xattr"],
  xattr: ["xattr"],
  unwritten: ["missing"],
};

export class DrillReport {
  readonly #session: Pick<WorkerSession, "warn">;
  readonly #backup: string;
  /** By path: what was not permitted. */
  readonly #unproved = new Map<string, Set<string>>();
  /** Those beyond the limit: how many warnings, and of which kinds. */
  #unnamed = 0;
  readonly #unnamedCodes = new Set<string>();
  readonly #lost = new Set<string>();
  readonly #decoder = new TextDecoder("latin1");
  #undecrypted = false;
  #of = 0;
  #seed: number | null = null;
  #entries = 0;
  #bytes = 0;
  #differences = 0;
  #first: string | null = null;

  constructor(session: Pick<WorkerSession, "warn">, backup: string) {
    this.#session = session;
    this.#backup = backup;
  }

  begin({ of, seed }: { readonly of: number; readonly seed: number | null }): void {
    this.#of = of;
    this.#seed = seed;
  }

  /** Nobody can decrypt it here: what it says of its entries is said of their frames. */
  cannotDecrypt(): void {
    this.#undecrypted = true;
    const message = "the backup is encrypted: its checksums are proved as it is stored, its " +
      "content is neither decrypted nor restored; --identity does that";
    this.#session.warn({ code: "encrypted", message, path: null });
  }

  get lost(): number {
    return this.#lost.size;
  }

  get entries(): number {
    return this.#entries;
  }

  get bytes(): number {
    return this.#bytes;
  }

  looked({ files, bytes }: { readonly files: number; readonly bytes: number }): void {
    this.#entries = files;
    this.#bytes = bytes;
  }

  /** Takes a warning of the restore; what it left undone without a right to is found again. */
  readonly onWarning = ({ code, path, message }: ApplicationWarning): void => {
    if (!NOT_PERMITTED.test(message)) return;
    const key = this.#decoder.decode(path);
    const codes = this.#unproved.get(key);
    if (codes !== undefined) codes.add(code);
    else if (this.#unproved.size < DRILL_UNPROVED_MAX) this.#unproved.set(key, new Set([code]));
    else {
      this.#unnamed += 1;
      this.#unnamedCodes.add(code);
    }
  };

  readonly onDifference = (entry: Entry, differences: readonly Difference[]): void => {
    const codes = this.#unproved.get(this.#decoder.decode(entry.path)) ?? this.#unnamedCodes;
    const excused = new Set([...codes].flatMap((code) => FOLLOWS[code] ?? []));
    const left = differences.filter((difference) => !excused.has(difference));
    if (left.length > 0) this.#tell(entry.path, `differs after the restore: ${left.join(", ")}`);
  };

  /** A member cannot be read; the drill reads each twice. @throws AgentError `damaged` */
  readonly onLost = (bytes: Uint8Array, medium: Error | null): void => {
    const key = this.#decoder.decode(bytes);
    if (this.#lost.has(key)) return;
    this.#lost.add(key);
    this.#tell(bytes, medium?.message ?? LOST);
    // More than that is a medium of which little is left.
    if (this.#lost.size >= DRILL_LOST_MAX) throw this.#error();
  };

  readonly isLost = ({ path }: Entry): boolean => this.#lost.has(this.#decoder.decode(path));

  #tell(bytes: Uint8Array, message: string): void {
    this.#differences++;
    const path = new TextDecoder().decode(bytes);
    this.#first ??= `"${path}" ${message}`;
    if (this.#differences > DRILL_DIFFERENCES_TOLD) return;
    this.#session.warn({ code: "drill", message, path });
  }

  /** @param finished false when it broke off */
  result(time: string, finished: boolean): Drill {
    return {
      time,
      status: finished && this.#differences === 0 ? "ok" : "failed",
      entries: this.#entries,
      of: this.#of,
      bytes: this.#bytes,
      differences: this.#differences,
      unproved: this.#undecrypted ? this.#entries : this.#unproved.size + this.#unnamed,
      undecrypted: this.#undecrypted,
      seed: this.#seed,
    };
  }

  /** The error of a drill that found something, null when all is right. */
  error(): AgentError | null {
    return this.#differences === 0 ? null : this.#error();
  }

  #error(): AgentError {
    const message = `Cannot vouch for backup "${this.#backup}": found ${this.#differences} of ` +
      `${this.#entries} entries that differ or are damaged, need none; the first: ${this.#first}`;
    return new AgentError("damaged", message, {
      hint: "Run `agent verify --data` for the backup, and make a new full one.",
    });
  }
}
