// The seam between the product and its runtime: types only. deno.ts and bun.ts implement it; all
// other product code gets an instance handed in by the composition root and names no runtime.

import type { Conn, Listener, WaitOptions } from "../conn.ts";
import type { AgentError } from "../ground/error.ts";
import type { Aead } from "./aead.ts";
import type { ArrivalLimits } from "./arrival_policy.ts";
import type { DirectIo } from "./direct_io.ts";
import type { Files } from "./files.ts";
import type { LocalSocket, LocalSocketOptions, UserId } from "./local_socket.ts";

/** Time. `monotonicMs` is the only clock that protocols may use; wall time is for labels. */
export interface Clock {
  monotonicMs(): number;
  /** Milliseconds since 1970, UTC. */
  wallMs(): number;
  /** @throws AgentError `cancelled` when the signal fires first */
  sleep(ms: number, options?: WaitOptions): Promise<void>;
  /** Lets the event loop run everything that is ready, then returns. */
  yield(): Promise<void>;
  /**
   * Blocks the thread for `ms`, really about 0.06 ms more: shorter than any timer, and another
   * process that wants the processor gets it.
   */
  doze(ms: number): void;
}

export interface Random {
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/** Where to listen, and for how many. */
export interface ListenTarget {
  readonly address: string;
  readonly port: number;
  readonly backlog?: number;
  /** Newcomers above these wait (tcp_door.ts); without them nobody does. */
  readonly arrivals?: ArrivalLimits | undefined;
}

/** Of a listening socket: strangers that come too often are not answered for a while. */
export interface Door {
  /** A connection came in from that address. */
  arrived(address: string): void;
  /** Before the socket is closed. */
  close(): void;
}

/** TCP as the runtime does it best: Deno's own under Deno, node:net under Bun. */
export interface Network {
  /**
   * @throws AgentError `port_in_use` | `failed`
   */
  listen(options: ListenTarget): Promise<Listener>;
  /**
   * @throws AgentError `refused` | `timeout` | `unreachable` | `cancelled`
   */
  connect(
    options: { address: string; port: number; timeoutMs: number } & WaitOptions,
  ): Promise<Conn>;
}

/** PEM texts: the CA that both ends trust, and this end's certificate (with its chain) and key. */
export interface TlsCredentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The other end of a finished handshake: the CA issued its certificate, and it is valid now. */
export interface TlsPeer {
  readonly side: "listening" | "connecting";
  /** DER. */
  readonly certificate: Uint8Array;
  /** As in "127.0.0.1:7430". */
  readonly address: string;
  /** The first bytes of the stream; they are not counted as the connection's. */
  read(into: Uint8Array): Promise<number | null>;
  write(from: Uint8Array): Promise<number>;
}

/** Mutual TLS 1.3: what this end shows, and what it asks of the other. */
export interface TlsOptions {
  readonly credentials: TlsCredentials;
  /**
   * Decides on a peer before its connection is handed out, within the deadline of the handshake.
   * @returns the name of the peer
   * @throws AgentError `auth` to refuse it
   */
  readonly greet: (peer: TlsPeer) => Promise<string>;
  /** Told of every connection that a listener turned away. */
  readonly onRefused: (error: AgentError) => void;
}

/** A network with TLS, whose own credentials can be renewed. */
export interface TlsNetwork extends Network {
  /**
   * Handshakes that begin from now on, of open listeners too, use these; connections stay.
   * @throws AgentError `usage` when they cannot be used; the old ones stay then
   */
  renew(credentials: TlsCredentials): void;
}

/** A file mapped shared into this process. */
export interface SharedMemory {
  readonly sizeBytes: number;
  read(offsetBytes: number, into: Uint8Array): void;
  write(offsetBytes: number, from: Uint8Array): void;
  /** Aligned 32-bit load that no compiler may cache (acquire). */
  load32(offsetBytes: number): number;
  /** Aligned 32-bit store (release). */
  store32(offsetBytes: number, value: number): void;
  close(): void;
}

export interface SharedMemories {
  /** Maps `sizeBytes` of an existing file that is at least that long. */
  map(path: string, sizeBytes: number): SharedMemory;
}

/** A thread of this program. Only structured-cloneable values and transferred ports cross. */
export interface Thread {
  /** Transferred objects are gone for the caller, if not at once then soon: do not touch them. */
  post(message: unknown, transfer?: Transferable[]): void;
  onMessage(handler: (message: unknown) => void): void;
  /** Called once when the thread failed with an uncaught error. */
  onError(handler: (error: Error) => void): void;
  /** True while files that the thread opened, and with them their locks, are open. */
  holdsDescriptors(): boolean;
  /**
   * Ends the thread wherever it is; the promise resolves when it is gone and its descriptors, with
   * the locks on them, are closed.
   */
  terminate(): void | Promise<void>;
}

/** A process that this one started. */
export interface ChildProcess {
  /** Exit code: 127 when it could not be started, 128 and the signal's number after a signal. */
  readonly ended: Promise<number>;
  /** Ends its standard input, which it may take as the word to stop. */
  endInput(): void;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface ChildProcessOptions {
  /** Told each line of its standard output. */
  readonly onLine: (line: string) => void;
  /** Told its standard error, and why it could not be started; without it, its errors are ours. */
  readonly onErrorText?: (text: string) => void;
  /** Variables beside those of ours. */
  readonly environment?: Readonly<Record<string, string>>;
  /** True: a signal goes to it and to whatever it started. */
  readonly isGroup?: boolean;
}

/**
 * A process that bytes go through. It is the head of a group: a signal goes to all that it started.
 */
export interface PipedProcess extends ChildProcess {
  /** The next bytes of its standard output, which are not read before; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** Writes all to its standard input, and waits for room. @throws Error when nobody reads it */
  write(bytes: Uint8Array): Promise<void>;
}

export interface PipedProcessOptions {
  /** Told its standard error, and why it could not be started. */
  readonly onErrorText: (text: string) => void;
  /** Variables beside those of ours. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The process around us: arguments, signals, exit, standard streams. */
export interface Process {
  readonly args: readonly string[];
  readonly pid: number;
  /** The effective user and group. */
  readonly user: UserId;
  /** True in a compiled binary: `execPath ARGS` starts the program again. */
  readonly standalone: boolean;
  readonly execPath: string;
  env(name: string): string | undefined;
  cwd(): string;
  exit(code: number): never;
  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP", handler: () => void): () => void;
  /** Writes all bytes, synchronously, to standard output (1) or standard error (2). */
  write(stream: 1 | 2, text: string): void;
  isTerminal(stream: 0 | 1 | 2): boolean;
  columns(): number;
  /** Resident memory of this process in bytes. */
  residentBytes(): number;
  /** Processors that this process may run on. */
  readonly processors: number;
  /** User and system time that this process has used, all threads. */
  cpuSeconds(): number;
  /** The command that starts the program of this entry module again; its arguments follow. */
  command(entryUrl: string): readonly string[];
  /** Starts another process; `command` is the program and its arguments. */
  start(command: readonly string[], options: ChildProcessOptions): ChildProcess;
  /** Starts another process to move bytes through. */
  startPiped(command: readonly string[], options: PipedProcessOptions): PipedProcess;
  /** Calls `handler` when our standard input ends. @returns stops watching */
  onInputEnd(handler: () => void): () => void;
  /** Calls `handler` for what nobody catches on this thread: a bug of ours. */
  onUncaught(handler: (thrown: unknown) => void): void;
}

export interface Runtime {
  readonly name: "deno" | "bun";
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly network: Network;
  /**
   * The same network with TLS on every connection; each has a `peerName`.
   * @throws AgentError `usage` when the credentials cannot be used
   */
  secureNetwork(options: TlsOptions): TlsNetwork;
  /** Puts a door to a TCP socket of this process that listens at `address`: an HTTP server's. */
  openDoor(listening: { address: string; port: number }, limits: ArrivalLimits): Door;
  /** Connects to a socket of this host, synchronously. @throws SystemError */
  connectLocal(path: string, options: LocalSocketOptions): LocalSocket;
  /**
   * Sends one datagram to a socket of this host, synchronously; a name that begins with "@" is an
   * abstract one. @throws SystemError
   */
  sendLocal(name: string, bytes: Uint8Array): void;
  readonly memories: SharedMemories;
  readonly directIo: DirectIo;
  /** The cipher of encrypted backups, by the fastest engine here; opened at the first call. */
  aead(): Aead;
  readonly process: Process;
  /** Starts a thread from a module URL made by the program's entry (compile facts: flat path). */
  startThread(moduleUrl: URL): Thread;
  /** The other end: inside a thread, the door to the one that started it. */
  parentThread(): Thread;
}
