// The runtime seam filled by Bun: node:net, libc by bun:ffi, web workers.

import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Aead } from "./aead.ts";
import { openBunLibc } from "./bun_libc.ts";
import { openBunLibcrypto } from "./bun_libcrypto.ts";
import { BunNetwork } from "./bun_network.ts";
import { BunTlsNetwork } from "./bun_tls_network.ts";
import { cpuSeconds, onInputEnd, startChildProcess, startPipedProcess } from "./child_process.ts";
import { RuntimeClock, SystemRandom } from "./clock.ts";
import { LibcDirectIo } from "./direct_io.ts";
import type { Libc } from "./libc.ts";
import { connectLocal, ownUser } from "./local_socket.ts";
import { openAead } from "./open_aead.ts";
import { OwnSockets } from "./own_sockets.ts";
import type { Process, Runtime, Thread } from "./runtime.ts";
import { sendLocal } from "./send_local.ts";
import { LibcSharedMemories } from "./shared_memory.ts";
import { writeStandard } from "./standard_output.ts";
import { TcpDoor } from "./tcp_door.ts";
import { NotedFiles } from "./thread_descriptors.ts";
import { onUncaught } from "./uncaught.ts";
import { startWebThread, webParentThread } from "./web_thread.ts";

/** Measured: one is fair to Bun's own I/O. */
const IMMEDIATES_PER_YIELD = 1;

/** @throws AgentError `unsupported` where libc cannot be called */
export function bunRuntime(): Runtime {
  const libc = openBunLibc();
  const files = new NotedFiles(libc);
  let parent: Thread | undefined;
  let aead: Aead | undefined;
  const clock = new RuntimeClock(IMMEDIATES_PER_YIELD);
  const parts = { libc, sockets: new OwnSockets(libc, files), clock };
  return {
    name: "bun",
    clock,
    random: new SystemRandom(),
    files,
    network: new BunNetwork(parts),
    secureNetwork: (options) => new BunTlsNetwork(parts, options),
    openDoor: (listening, limits) => new TcpDoor(parts, listening, limits),
    connectLocal: (path, options) => connectLocal({ libc, files, own: ownUser() }, path, options),
    sendLocal: (name, bytes) => sendLocal(libc, name, bytes),
    memories: new LibcSharedMemories(libc, files),
    directIo: new LibcDirectIo(libc),
    aead: () => aead ??= openAead(openBunLibcrypto),
    process: bunProcess(libc),
    startThread: (moduleUrl) => startWebThread(moduleUrl, { files, clock }),
    parentThread: () =>
      parent ??= webParentThread(
        globalThis as typeof globalThis & WorkerScope,
        files.threadDescriptors(),
      ),
  };
}

/** What the global scope has inside a worker. */
interface WorkerScope {
  postMessage(message: unknown, transfer: Transferable[]): void;
  close(): void;
}

const STREAMS = [() => process.stdin, () => process.stdout, () => process.stderr] as const;

function bunProcess(libc: Libc): Process {
  return {
    args: process.argv.slice(2),
    pid: process.pid,
    user: ownUser(),
    standalone: Bun.isStandaloneExecutable,
    execPath: process.execPath,
    env: (name) => process.env[name],
    cwd: () => process.cwd(),
    exit: (code) => process.exit(code),
    onSignal: (signal, handler) => {
      process.on(signal, handler);
      return () => void process.off(signal, handler);
    },
    write: (stream, text) => writeStandard(libc, stream, text),
    isTerminal: (stream) => STREAMS[stream]().isTTY === true,
    columns: () => process.stdout.columns ?? 80,
    residentBytes: () => process.memoryUsage.rss(),
    processors: availableParallelism(),
    cpuSeconds,
    command: (entryUrl) =>
      Bun.isStandaloneExecutable
        ? [process.execPath]
        : [process.execPath, "run", fileURLToPath(entryUrl)],
    start: startChildProcess,
    startPiped: startPipedProcess,
    onInputEnd,
    onUncaught,
  };
}
