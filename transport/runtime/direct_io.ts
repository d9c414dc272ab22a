// Direct, asynchronous disk I/O by the kernel's own queue (Linux AIO, <linux/aio_abi.h>), through
// libc's `syscall`, since libc has no functions for it. Types and the one implementation.
//
//   struct iocb, 64 bytes                      struct io_event, 32 bytes
//   0   8  data: given back in the event       0   8  data
//   16  2  0 = pread, 1 = pwrite               8   8  address of the iocb
//   20  4  descriptor                          16  8  bytes moved, or minus an errno
//   24  8  address of the bytes                24  8  second result
//   32  8  count of bytes
//   40  8  offset                              all other bytes are zero
//
// Invariants:
//  1. The kernel copies an iocb when it is submitted, so one scratch iocb serves all requests.
//  2. The bytes of a request stay reachable, in memory of `allocate`, until its event was reaped:
//     who submits keeps them. A thread that ends in between gives its memory back to the kernel
//     by pages, and the kernel keeps the pages that it still fills.
//  3. A queue belongs to one thread. It is closed only when nothing is in flight, because the
//     kernel would wait for the rest inside the call.

import { assert } from "../ground/assert.ts";
import { EINTR, errnoName } from "./errno.ts";
import { SystemError } from "./files.ts";
import { IoMemory } from "./io_memory.ts";
import type { Architecture, Libc } from "./libc.ts";

/** One read or write. */
export interface DirectRequest {
  readonly operation: "read" | "write";
  readonly descriptor: number;
  readonly offsetBytes: number;
  /** Of `DirectIo.allocate`, as long and aligned as the medium needs it. */
  readonly bytes: Uint8Array;
  /** A whole number from 0 below 2^32 that comes back with the result. */
  readonly token: number;
}

/** `result` is the count of bytes moved, or minus an errno. */
export type OnCompletion = (token: number, result: number) => void;

export interface DirectQueue {
  /** @throws SystemError when the kernel does not take the request */
  submit(request: DirectRequest): void;
  /**
   * Hands over the results that are there; waits up to `waitUs` microseconds for the first one,
   * which holds up the thread. `onCompletion` must not call `reap`.
   * @returns count of results
   */
  reap(waitUs: number, onCompletion: OnCompletion): number;
  /** Nothing may be in flight. Idempotent. */
  close(): void;
}

/** What the kernel says of a block device. */
export interface BlockDevice {
  readonly sizeBytes: number;
  readonly logicalBlockBytes: number;
  /** Opening such a device for writing works; only the writes fail. */
  readonly isReadOnly: boolean;
}

export interface DirectIo {
  /** Zeroed memory for requests, aligned to 4096 bytes; parts of it serve too. */
  allocate(bytes: number): Uint8Array;
  /** Whether the bytes lie in memory of `allocate` at a multiple of `alignmentBytes`. */
  suits(bytes: Uint8Array, alignmentBytes: number): boolean;
  /** @throws SystemError when the descriptor is no block device */
  blockDevice(descriptor: number): BlockDevice;
  /**
   * @param requests most requests in flight
   * @throws SystemError ENOSYS | EPERM (the kernel has none), EAGAIN (fs.aio-max-nr is reached)
   */
  openQueue(requests: number): DirectQueue;
}

const NUMBERS: Readonly<
  Record<Architecture, { setup: number; destroy: number; getEvents: number; submit: number }>
> = {
  x86_64: { setup: 206, destroy: 207, getEvents: 208, submit: 209 },
  aarch64: { setup: 0, destroy: 1, getEvents: 4, submit: 2 },
};

const BLKROGET = 0x125e;
const BLKSSZGET = 0x1268;
const BLKGETSIZE64 = 0x8008_1272;
const IOCB_BYTES = 64;
const EVENT_BYTES = 32;
const PREAD = 0;
const PWRITE = 1;

export class LibcDirectIo implements DirectIo {
  readonly #libc: Libc;
  readonly #memory: IoMemory;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#memory = new IoMemory(libc);
  }

  allocate(bytes: number): Uint8Array {
    return this.#memory.allocate(bytes);
  }

  suits(bytes: Uint8Array, alignmentBytes: number): boolean {
    const address = this.#memory.addressOf(bytes);
    return address !== null && address % alignmentBytes === 0;
  }

  blockDevice(descriptor: number): BlockDevice {
    const into = new Uint8Array(8);
    const view = new DataView(into.buffer);
    this.#ioctl(descriptor, BLKROGET, into);
    const isReadOnly = view.getInt32(0, true) !== 0;
    this.#ioctl(descriptor, BLKSSZGET, into);
    const logicalBlockBytes = view.getUint32(0, true);
    this.#ioctl(descriptor, BLKGETSIZE64, into);
    return { sizeBytes: Number(view.getBigUint64(0, true)), logicalBlockBytes, isReadOnly };
  }

  openQueue(requests: number): DirectQueue {
    return new LibcDirectQueue(this.#libc, this.#memory, requests);
  }

  #ioctl(descriptor: number, request: number, into: Uint8Array): void {
    if (this.#libc.ioctl(descriptor, request, into) >= 0) return;
    throw new SystemError(errnoName(this.#libc.errno()), "ioctl", `descriptor ${descriptor}`);
  }
}

class LibcDirectQueue implements DirectQueue {
  readonly #libc: Libc;
  readonly #memory: IoMemory;
  readonly #numbers: typeof NUMBERS[Architecture];
  readonly #requests: number;
  readonly #iocb: DataView;
  readonly #listAddress: number;
  readonly #events: DataView;
  readonly #eventsAddress: number;
  readonly #timeout: DataView;
  readonly #timeoutAddress: number;
  /** The kernel's handle; null when closed. */
  #context: number | null;

  constructor(libc: Libc, memory: IoMemory, requests: number) {
    this.#libc = libc;
    this.#memory = memory;
    this.#numbers = NUMBERS[libc.architecture];
    this.#requests = requests;
    const scratch = (bytes: number) => {
      const piece = memory.allocate(bytes);
      const address = memory.addressOf(piece);
      assert(address !== null, "allocated memory has an address");
      return { view: new DataView(piece.buffer, piece.byteOffset, bytes), address };
    };
    const iocb = scratch(IOCB_BYTES);
    const list = scratch(8);
    list.view.setBigUint64(0, BigInt(iocb.address), true);
    const events = scratch(requests * EVENT_BYTES);
    const timeout = scratch(16);
    this.#iocb = iocb.view;
    this.#listAddress = list.address;
    [this.#events, this.#eventsAddress] = [events.view, events.address];
    [this.#timeout, this.#timeoutAddress] = [timeout.view, timeout.address];
    const handle = scratch(8);
    this.#call("io_setup", this.#numbers.setup, requests, handle.address);
    this.#context = Number(handle.view.getBigUint64(0, true));
  }

  submit({ operation, descriptor, offsetBytes, bytes, token }: DirectRequest): void {
    assert(this.#context !== null, "the queue is open");
    const address = this.#memory.addressOf(bytes);
    assert(address !== null, "the kernel gets memory that stays in its place");
    const iocb = this.#iocb;
    iocb.setUint32(0, token, true);
    iocb.setUint16(16, operation === "read" ? PREAD : PWRITE, true);
    iocb.setUint32(20, descriptor, true);
    setUint64(iocb, 24, address);
    setUint64(iocb, 32, bytes.length);
    setUint64(iocb, 40, offsetBytes);
    this.#call("io_submit", this.#numbers.submit, this.#context, 1, this.#listAddress);
  }

  reap(waitUs: number, onCompletion: OnCompletion): number {
    assert(this.#context !== null, "the queue is open");
    this.#timeout.setUint32(8, waitUs * 1000, true);
    const least = waitUs === 0 ? 0 : 1;
    const count = this.#libc.syscall(
      this.#numbers.getEvents,
      this.#context,
      least,
      this.#requests,
      this.#eventsAddress,
      this.#timeoutAddress,
    );
    if (count < 0) {
      const errno = this.#libc.errno();
      if (errno === EINTR) return 0; // A signal ended the wait: nothing is there yet.
      throw new SystemError(errnoName(errno), "io_getevents", "the queue");
    }
    for (let at = 0; at < count * EVENT_BYTES; at += EVENT_BYTES) {
      onCompletion(this.#events.getUint32(at, true), this.#events.getInt32(at + 16, true));
    }
    return count;
  }

  close(): void {
    const context = this.#context;
    this.#context = null;
    if (context !== null) this.#call("io_destroy", this.#numbers.destroy, context);
  }

  #call(name: string, number: number, a: number, b = 0, c = 0): void {
    while (this.#libc.syscall(number, a, b, c, 0, 0) < 0) {
      const errno = this.#libc.errno();
      if (errno !== EINTR) throw new SystemError(errnoName(errno), name, "the queue");
    }
  }
}

/** Without a bigint, which would cost an allocation in each request. */
function setUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % 0x1_0000_0000, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}
