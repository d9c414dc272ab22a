// The runtime seam filled by Deno: own TCP, libc by Deno.dlopen, web workers.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Aead } from "./aead.ts";
import { cpuSeconds, onInputEnd, startChildProcess, startPipedProcess } from "./child_process.ts";
import { RuntimeClock, SystemRandom } from "./clock.ts";
import { openDenoLibc } from "./deno_libc.ts";
import { openDenoLibcrypto } from "./deno_libcrypto.ts";
import { DenoNetwork } from "./deno_network.ts";
import { DenoTlsNetwork } from "./deno_tls_network.ts";
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

/** Measured: fewer starve the runtime's own I/O (clock.ts). */
const IMMEDIATES_PER_YIELD = 16;

/** @throws AgentError `unsupported` where libc cannot be called */
export function denoRuntime(): Runtime {
  const libc = openDenoLibc();
  const files = new NotedFiles(libc);
  let parent: Thread | undefined;
  let aead: Aead | undefined;
  const clock = new RuntimeClock(IMMEDIATES_PER_YIELD);
  const parts = { libc, sockets: new OwnSockets(libc, files), clock };
  const network = new DenoNetwork(parts);
  return {
    name: "deno",
    clock,
    random: new SystemRandom(),
    files,
    network,
    secureNetwork: (options) => new DenoTlsNetwork({ plain: network, clock }, options),
    openDoor: (listening, limits) => new TcpDoor(parts, listening, limits),
    connectLocal: (path, options) => connectLocal({ libc, files, own: ownUser() }, path, options),
    sendLocal: (name, bytes) => sendLocal(libc, name, bytes),
    memories: new LibcSharedMemories(libc, files),
    directIo: new LibcDirectIo(libc),
    aead: () => aead ??= openAead(openDenoLibcrypto),
    process: denoProcess(libc),
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

const STREAMS = [() => Deno.stdin, () => Deno.stdout, () => Deno.stderr] as const;

/** As scripts/agent starts the sources; the configuration beside them is found by itself. */
function runSource(): readonly string[] {
  return [Deno.execPath(), "run", "--quiet", "--allow-all", "--no-prompt"];
}

function denoProcess(libc: Libc): Process {
  return {
    args: Deno.args,
    pid: Deno.pid,
    user: ownUser(),
    standalone: Deno.build.standalone,
    execPath: Deno.execPath(),
    env: (name) => Deno.env.get(name),
    cwd: () => Deno.cwd(),
    exit: (code) => Deno.exit(code),
    onSignal: (signal, handler) => {
      Deno.addSignalListener(signal, handler);
      return () => Deno.removeSignalListener(signal, handler);
    },
    write: (stream, text) => writeStandard(libc, stream, text),
    isTerminal: (stream) => STREAMS[stream]().isTerminal(),
    columns: () => terminalColumns(),
    residentBytes: () => Deno.memoryUsage().rss,
    processors: availableParallelism(),
    cpuSeconds,
    command: (entryUrl) =>
      Deno.build.standalone ? [Deno.execPath()] : [...runSource(), fileURLToPath(entryUrl)],
    start: startChildProcess,
    startPiped: startPipedProcess,
    onInputEnd,
    onUncaught,
  };
}

/** 80 when standard output is no terminal. */
function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
