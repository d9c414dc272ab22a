// What an array looks like after it has grown: which device gets larger, which devices come behind
// the last one. Pure.

import { AgentError } from "../transport/ground/error.ts";
import { boardLayout } from "./board_layout.ts";
import { type ArrayGeometry, type DeviceGeometry, makeGeometry } from "./geometry.ts";
import { CYLINDER_BYTES } from "./limits.ts";

export interface GrowthOptions {
  /** Name of the device that grows to `sizeBytes`. */
  readonly volume?: string | undefined;
  /** Count of new devices of `sizeBytes`. */
  readonly add?: number | undefined;
  /** Rounded up to whole cylinders (1 MiB). */
  readonly sizeBytes: number;
}

/**
 * @param path of the array, for errors
 * @throws AgentError `usage` (nothing to do, smaller, limits) | `not_found` (no such volume)
 */
export function planGrowth(
  geometry: ArrayGeometry,
  options: GrowthOptions,
  path: string,
): ArrayGeometry {
  const { volume, add = 0, sizeBytes } = options;
  if (volume === undefined && add === 0) {
    throw refuse("usage", path, "neither a volume nor new ones given, need one of both", {
      hint: "Give --volume V, --add N or both, with --size SIZE.",
    });
  }
  const grown = volume === undefined ? null : findDevice(geometry, volume, path);
  if (grown !== null && Math.ceil(sizeBytes / CYLINDER_BYTES) <= grown.cylinders) {
    throw refuse(
      "usage",
      path,
      `${sizeBytes} bytes given for volume "${grown.name}", need more than its ${grown.sizeBytes}`,
      { hint: "Give a larger --size; a volume never gets smaller." },
    );
  }
  const kept = geometry.devices.map((one) => one === grown ? sizeBytes : one.sizeBytes);
  const isCount = Number.isSafeInteger(add) && add >= 0 && add < 2 ** 16;
  const added = Array.from({ length: isCount ? add : 2 ** 16 }, () => sizeBytes);
  return withinLimits({ ...geometry, deviceBytes: [...kept, ...added] }, path);
}

/** True when `next` is `geometry` with larger devices or more of them, and else the same. */
export function isGrowthOf(geometry: ArrayGeometry, next: ArrayGeometry): boolean {
  const { uuid, boards, slotsPerBoard, memory, devices } = geometry;
  return next.uuid === uuid && next.boards === boards && next.memory === memory &&
    next.slotsPerBoard === slotsPerBoard && next.cylinders > geometry.cylinders &&
    devices.every(({ index, cylinders }) => (next.devices[index]?.cylinders ?? 0) >= cylinders);
}

function findDevice(geometry: ArrayGeometry, name: string, path: string): DeviceGeometry {
  const device = geometry.devices.find((one) => one.name === name);
  if (device !== undefined) return device;
  const names = geometry.devices.map((one) => one.name).join(", ");
  throw refuse("not_found", path, `no volume "${name}" there, need one of ${names}`, {
    hint: `Run: agent array status ${path}`,
  });
}

function withinLimits(input: Parameters<typeof makeGeometry>[0], path: string): ArrayGeometry {
  try {
    const next = makeGeometry(input);
    for (let board = 0; board < next.boards; board++) boardLayout(next, board);
    return next;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    throw refuse(error.code, path, error.message, {
      hint: error.hint ?? "Give a smaller --size or --add.",
      cause: error,
    });
  }
}

function refuse(
  code: AgentError["code"],
  path: string,
  found: string,
  options: { readonly hint: string; readonly cause?: unknown },
): AgentError {
  return new AgentError(code, `Cannot grow array "${path}": ${found}`, options);
}
