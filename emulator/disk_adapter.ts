// The disk adapter (Fig. 2, 34): connects the disk director to the device files (28).
//
// Each device is a file of its own with a label behind the data (device_label.ts). A file that is
// missing, cut, swapped or of another array is refused before anything is written.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files, SystemError } from "../transport/runtime/files.ts";
import { decodeDeviceLabel, DEVICE_LABEL_BYTES } from "./device_label.ts";
import type { ArrayGeometry, DeviceGeometry } from "./geometry.ts";

export class DiskAdapter {
  readonly #files: Files;
  readonly #descriptors: number[] = [];

  /**
   * Opens every device file of the array.
   * @param pathOf the device's file
   * @throws AgentError `volume` (missing, not accessible) | `damaged` | `mismatch` | `unsupported`
   */
  constructor(
    geometry: ArrayGeometry,
    pathOf: (device: DeviceGeometry) => string,
    parts: { readonly files: Files },
  ) {
    this.#files = parts.files;
    try {
      for (const device of geometry.devices) {
        this.#descriptors.push(openDevice(parts.files, geometry, device, pathOf(device)));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Reads device data. @throws AgentError `volume` */
  read(device: DeviceGeometry, offsetBytes: number, into: Uint8Array): void {
    let done = 0;
    try {
      while (done < into.length) {
        const rest = done === 0 ? into : into.subarray(done);
        const count = this.#files.readAt(this.#of(device), offsetBytes + done, rest);
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw failure("stage", device, error);
    }
    if (done < into.length) {
      throw new AgentError(
        "volume",
        `Cannot stage volume "${device.name}" at ${offsetBytes}: the device file ends after ` +
          `${done} bytes, need ${into.length}`,
        { hint: "Run agent array check." },
      );
    }
  }

  /** Writes device data to the operating system. @throws AgentError `volume` | `no_space` */
  write(device: DeviceGeometry, offsetBytes: number, from: Uint8Array): void {
    try {
      this.#files.writeAllAt(this.#of(device), offsetBytes, from);
    } catch (error) {
      throw failure("destage", device, error);
    }
  }

  /** Makes all that was written durable. @throws AgentError `volume` | `no_space` */
  sync(device: DeviceGeometry): void {
    try {
      this.#files.sync(this.#of(device));
    } catch (error) {
      throw failure("destage", device, error);
    }
  }

  /** Bytes that the device file takes on its file system. */
  allocatedBytes(device: DeviceGeometry): number {
    return this.#files.statDescriptor(this.#of(device)).blocks512 * 512;
  }

  /** Idempotent. */
  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) this.#files.close(descriptor);
  }

  #of(device: DeviceGeometry): number {
    const descriptor = this.#descriptors[device.index];
    if (descriptor !== undefined) return descriptor;
    throw new AgentError(
      "closed",
      `Cannot use volume "${device.name}": array closed, need it open`,
    );
  }
}

function openDevice(
  files: Files,
  geometry: ArrayGeometry,
  device: DeviceGeometry,
  path: string,
): number {
  const descriptor = openFile(files, path);
  try {
    checkDevice(files, geometry, device, { path, descriptor });
    return descriptor;
  } catch (error) {
    files.close(descriptor);
    throw error;
  }
}

function openFile(files: Files, path: string): number {
  try {
    return files.open(AT_CWD, path, { access: "read-write" });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new AgentError("volume", `Cannot open device "${path}": ${error.errno}, need the file`, {
      hint: error.errno === "ENOENT"
        ? "Put the device file back; nothing was changed."
        : "Give the agent's user read and write access to the array directory.",
      cause: error,
    });
  }
}

function checkDevice(
  files: Files,
  geometry: ArrayGeometry,
  device: DeviceGeometry,
  file: { readonly path: string; readonly descriptor: number },
): void {
  const found = files.statDescriptor(file.descriptor).sizeBytes;
  const wanted = device.sizeBytes + DEVICE_LABEL_BYTES;
  const hint = "Put the array's own device file back; nothing was changed.";
  if (found !== wanted) {
    throw new AgentError(
      "damaged",
      `Cannot open device "${file.path}": ${found} bytes, need ${wanted}`,
      { hint },
    );
  }
  const bytes = new Uint8Array(DEVICE_LABEL_BYTES);
  const count = files.readAt(file.descriptor, device.sizeBytes, bytes);
  const label = decodeDeviceLabel(bytes.subarray(0, count), file.path);
  if (label.uuid !== geometry.uuid || label.index !== device.index) {
    throw new AgentError(
      "mismatch",
      `Cannot open device "${file.path}": device ${label.index} of array ${label.uuid}, ` +
        `need device ${device.index} of array ${geometry.uuid}`,
      { hint },
    );
  }
}

function failure(verb: "stage" | "destage", device: DeviceGeometry, cause: unknown): unknown {
  if (!(cause instanceof SystemError)) return cause;
  const isFull = cause.errno === "ENOSPC" || cause.errno === "EDQUOT";
  const wanted = isFull ? "space for its device file" : "a working device file";
  return new AgentError(
    isFull ? "no_space" : "volume",
    `Cannot ${verb} volume "${device.name}": ${cause.errno}, need ${wanted}`,
    { hint: isFull ? "Free space where the array directory is." : undefined, cause },
  );
}
