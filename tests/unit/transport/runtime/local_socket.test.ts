// Sockets of this host, read and written synchronously, against a server of node:net; and as another
// user, which the kernel proves by what that user may not reach.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AT_CWD, SystemError } from "../../../../transport/runtime/files.ts";
import { currentRuntime, type LocalSocket } from "../../../../transport/runtime/mod.ts";

const runtime = await currentRuntime();
const WAITS = { readWaitMs: 20, writeWaitMs: 1000 };
const NOBODY = { uid: 65534, gid: 65534 };
const isRoot = runtime.process.user.uid === 0;

let folder = "";
let server: Server;
let accepted: Promise<Socket>;

/** Listens at `path`, which a user may connect to that may enter the folders. */
async function listen(path: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  accepted = promise;
  server = createServer(resolve);
  await new Promise<void>((ready) => server.listen(path, ready));
  chmodSync(path, 0o777);
}

function connect(path: string, as: typeof NOBODY | null = null): LocalSocket {
  return runtime.connectLocal(path, { as, ...WAITS });
}

/** Reads until `count` bytes are there, letting the server run in between. */
async function readAll(socket: LocalSocket, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    at += socket.read(bytes.subarray(at)) ?? 0;
    await runtime.clock.yield();
  }
  return bytes;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "local-socket-"));
  chmodSync(folder, 0o711);
});

afterEach(() => {
  server?.close();
  rmSync(folder, { recursive: true });
});

describe("connectLocal()", () => {
  test("moves bytes both ways, and reads 0 at the end", async () => {
    const path = join(folder, "socket");
    await listen(path);
    const socket = connect(path);
    const peer = await accepted;
    const sent = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    peer.write(sent);
    expect(await readAll(socket, sent.length)).toEqual(sent);
    const echoed = new Promise<Uint8Array>((resolve) => peer.once("data", resolve));
    socket.writeAll(sent.subarray(0, 100));
    expect(new Uint8Array(await echoed)).toEqual(sent.subarray(0, 100));
    peer.end();
    let end: number | null = null;
    for (; end === null; await runtime.clock.yield()) end = socket.read(new Uint8Array(10));
    expect(end).toBe(0);
    socket.close();
    socket.close();
  });

  test("gives null when nothing comes in time, and fails when the peer takes nothing", async () => {
    const path = join(folder, "socket");
    await listen(path);
    const socket = runtime.connectLocal(path, { as: null, readWaitMs: 20, writeWaitMs: 20 });
    expect(socket.read(new Uint8Array(10))).toBe(null);
    (await accepted).pause();
    expect(() => socket.writeAll(new Uint8Array(32 * 1024 * 1024))).toThrow("EAGAIN");
    socket.close();
  });

  test("names what is wrong: nobody there, nobody listening, too long a path", async () => {
    const path = join(folder, "socket");
    const failure = (at: string): string => {
      try {
        connect(at).close();
      } catch (error) {
        if (error instanceof SystemError) return error.errno;
        throw error;
      }
      return "none";
    };
    expect(failure(path)).toBe("ENOENT");
    await listen(path);
    expect(failure(path)).toBe("none");
    runtime.files.rename(AT_CWD, path, AT_CWD, `${path}-moved`);
    await new Promise<void>((closed) => server.close(() => closed()));
    expect(failure(`${path}-moved`)).toBe("ECONNREFUSED");
    expect(failure(join(folder, "x".repeat(200)))).toBe("ENAMETOOLONG");
  });

  test(
    isRoot ? "connects as another user, and is its own again" : "refuses to be another user: EPERM",
    async () => {
      const closed = join(folder, "closed");
      mkdirSync(closed, { mode: 0o700 });
      for (const path of [join(folder, "open"), join(closed, "socket")]) await listen(path);
      if (!isRoot) {
        expect(() => connect(join(folder, "open"), NOBODY)).toThrow("EPERM");
        return;
      }
      connect(join(folder, "open"), NOBODY).close();
      // Only root passes the second folder, before and after.
      connect(join(closed, "socket")).close();
      expect(() => connect(join(closed, "socket"), NOBODY)).toThrow("EACCES");
      connect(join(closed, "socket")).close();
    },
  );
});
