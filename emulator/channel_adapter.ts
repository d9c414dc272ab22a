// The channel adapter (Fig. 2, 30): one connection of a host to one device, as the volume contract
// wants it. A host may open several connections, to one device or to many. Synchronous.

import { assert } from "../transport/ground/assert.ts";
import { AgentError } from "../transport/ground/error.ts";
import type { Volume } from "../transport/volume.ts";
import type { ChannelDirector } from "./channel_director.ts";
import type { DeviceGeometry } from "./geometry.ts";
import { RECORD_BYTES } from "./limits.ts";

export class ChannelAdapter implements Volume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes = RECORD_BYTES;
  readonly #device: DeviceGeometry;
  readonly #director: ChannelDirector;
  readonly #onClose: (adapter: ChannelAdapter) => void;
  #closed = false;

  constructor(
    device: DeviceGeometry,
    director: ChannelDirector,
    onClose: (adapter: ChannelAdapter) => void,
  ) {
    this.name = device.name;
    this.sizeBytes = device.sizeBytes;
    this.#device = device;
    this.#director = director;
    this.#onClose = onClose;
  }

  /** Asked for each write: once faults were seen it stays false (fault_injector.ts). */
  get retains(): boolean {
    return !this.#closed && this.#director.retains();
  }

  /** @throws AgentError `volume` | `busy` | `no_space` | `closed` */
  read(offsetBytes: number, into: Uint8Array): undefined {
    this.#check(offsetBytes, into.length);
    this.#director.read(this.#device, offsetBytes, into);
    return undefined;
  }

  /** @throws AgentError `volume` | `busy` | `no_space` | `closed` */
  write(offsetBytes: number, from: Uint8Array): undefined {
    this.#check(offsetBytes, from.length);
    this.#director.write(this.#device, offsetBytes, from);
    return undefined;
  }

  allocate(bytes: number): Uint8Array {
    return new Uint8Array(bytes);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
  }

  #check(offsetBytes: number, bytes: number): void {
    if (this.#closed) {
      throw new AgentError("closed", `Cannot use volume "${this.name}": closed, need it open`);
    }
    assert(offsetBytes % RECORD_BYTES === 0 && bytes % RECORD_BYTES === 0, "I/O is in blocks");
    assert(offsetBytes >= 0 && offsetBytes + bytes <= this.sizeBytes, "I/O is inside the volume");
  }
}
