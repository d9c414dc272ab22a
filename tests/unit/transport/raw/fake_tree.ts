// A file tree of texts and devices in memory: as much of Files as reading /proc and /sys takes.

import {
  type Files,
  type FileStat,
  type OpenFlags,
  type PathBytes,
  SystemError,
} from "../../../../transport/runtime/files.ts";
import { runtime } from "./raw_files.ts";

type Entry = string | Partial<FileStat>;

export class FakeTree {
  /** A path whose exclusive open fails with EBUSY. */
  busy = "";
  readonly files: Files;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #open: { readonly path: string; done: boolean }[] = [];

  constructor(entries: Readonly<Record<string, Entry>>) {
    this.#entries = new Map(Object.entries(entries));
    this.files = new Proxy(runtime.files, {
      get: (real, key) => {
        if (key === "stat") return (_: number, path: PathBytes) => this.#stat(String(path));
        if (key === "open") {
          return (_: number, path: PathBytes, flags: OpenFlags) => this.#openPath(`${path}`, flags);
        }
        if (key === "close") return () => {};
        if (key === "read") return (at: number, into: Uint8Array) => this.#read(at, into);
        if (key === "list") return (at: number) => this.#list(at);
        return Reflect.get(real, key);
      },
    });
  }

  #stat(path: string): FileStat {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw new SystemError("ENOENT", "statx", path);
    const like = runtime.files.stat(-100, "/proc/self/mountinfo");
    return typeof entry === "string" ? like : { ...like, ...entry };
  }

  #openPath(path: string, flags: OpenFlags): number {
    const isFolder = [...this.#entries.keys()].some((one) => one.startsWith(`${path}/`));
    if (!isFolder && !this.#entries.has(path)) throw new SystemError("ENOENT", "openat", path);
    if (flags.exclusive === true && path === this.busy) {
      throw new SystemError("EBUSY", "openat", path);
    }
    return this.#open.push({ path, done: false }) - 1;
  }

  #read(at: number, into: Uint8Array): number {
    const open = this.#open[at];
    const text = this.#entries.get(open?.path ?? "");
    if (open === undefined || open.done || typeof text !== "string") return 0;
    open.done = true;
    return new TextEncoder().encodeInto(text, into).written;
  }

  #list(at: number): { name: Uint8Array; type: "unknown" }[] {
    const folder = `${this.#open[at]?.path}/`;
    const names = [...this.#entries.keys()].filter((path) => path.startsWith(folder))
      .map((path) => path.slice(folder.length).split("/")[0] ?? "");
    const encoder = new TextEncoder();
    return [...new Set(names)].map((name) => ({ name: encoder.encode(name), type: "unknown" }));
  }
}
