// Geometry of an array: which devices it has, how they are cut into cylinders, tracks and records,
// and which memory board owns what. Pure.
//
// Invariants:
//  1. Cylinders are numbered through all devices; a device's lie together, in device order.
//  2. Cylinder c lies on board c mod boards, there at place floor(c / boards): a request of a few
//     tracks mostly needs one board, and neighbouring cylinders use different boards.
//  3. A track's number on its board is place * TRACKS_PER_CYLINDER + track within the cylinder.

import { assert } from "../transport/ground/assert.ts";
import { AgentError } from "../transport/ground/error.ts";
import {
  CYLINDER_BYTES,
  MAX_ARRAY_BYTES,
  MAX_BOARDS,
  MAX_SLOTS_PER_BOARD,
  MAX_VOLUMES,
  TRACK_BYTES,
  TRACKS_PER_CYLINDER,
} from "./limits.ts";

/** One emulated device (a volume for its hosts). */
export interface DeviceGeometry {
  /** `v0`, `v1`, …: also the name of its device file, with `.dev`. */
  readonly name: string;
  readonly index: number;
  /** A multiple of CYLINDER_BYTES. */
  readonly sizeBytes: number;
  readonly cylinders: number;
  /** Number of its first cylinder within the array. */
  readonly firstCylinder: number;
}

export interface ArrayGeometry {
  /** 8-4-4-4-12 hexadecimal digits, lower case. */
  readonly uuid: string;
  readonly devices: readonly DeviceGeometry[];
  readonly boards: number;
  /** Cache slots of one track on each board. */
  readonly slotsPerBoard: number;
  /** Directory of the memory boards; relative to the array directory, or absolute. */
  readonly memory: string;
  readonly cylinders: number;
}

/** What a geometry is made from. */
export interface GeometryInput {
  readonly uuid: string;
  /** Bytes of each device, rounded up to whole cylinders. */
  readonly deviceBytes: readonly number[];
  readonly boards: number;
  readonly slotsPerBoard: number;
  readonly memory: string;
}

/**
 * Computes a geometry and checks it against the limits.
 * @throws AgentError `usage` naming what is out of range
 */
export function makeGeometry(input: GeometryInput): ArrayGeometry {
  checkRange("number of volumes", input.deviceBytes.length, 1, MAX_VOLUMES);
  checkRange("number of boards", input.boards, 1, MAX_BOARDS);
  checkRange("cache slots per board", input.slotsPerBoard, 1, MAX_SLOTS_PER_BOARD);
  const devices: DeviceGeometry[] = [];
  let firstCylinder = 0;
  for (const [index, bytes] of input.deviceBytes.entries()) {
    checkRange("volume size in bytes", bytes, 1, MAX_ARRAY_BYTES);
    const cylinders = Math.ceil(bytes / CYLINDER_BYTES);
    const sizeBytes = cylinders * CYLINDER_BYTES;
    devices.push({ name: `v${index}`, index, sizeBytes, cylinders, firstCylinder });
    firstCylinder += cylinders;
  }
  checkRange("array size in bytes", firstCylinder * CYLINDER_BYTES, 1, MAX_ARRAY_BYTES);
  return {
    uuid: input.uuid,
    devices,
    boards: input.boards,
    slotsPerBoard: input.slotsPerBoard,
    memory: input.memory,
    cylinders: firstCylinder,
  };
}

/** Cylinders that lie on `board`. */
export function cylindersOnBoard(geometry: ArrayGeometry, board: number): number {
  return Math.ceil(Math.max(0, geometry.cylinders - board) / geometry.boards);
}

/** Byte offset on its device of a track given by its number on its board. */
export function trackOffset(
  geometry: ArrayGeometry,
  device: DeviceGeometry,
  place: { readonly board: number; readonly track: number },
): number {
  const local = Math.floor(place.track / TRACKS_PER_CYLINDER);
  const cylinder = local * geometry.boards + place.board - device.firstCylinder;
  return cylinder * CYLINDER_BYTES + (place.track % TRACKS_PER_CYLINDER) * TRACK_BYTES;
}

/** The device that a track, given by its number on its board, belongs to. */
export function deviceOfTrack(
  geometry: ArrayGeometry,
  place: { readonly board: number; readonly track: number },
): DeviceGeometry {
  const local = Math.floor(place.track / TRACKS_PER_CYLINDER);
  const cylinder = local * geometry.boards + place.board;
  const device = geometry.devices.findLast((one) => one.firstCylinder <= cylinder);
  assert(device !== undefined && cylinder < geometry.cylinders, "a track lies on a device");
  return device;
}

function checkRange(what: string, found: number, least: number, most: number): void {
  if (Number.isSafeInteger(found) && found >= least && found <= most) return;
  throw new AgentError(
    "usage",
    `Cannot lay out array: ${what} is ${found}, need ${least} to ${most}`,
  );
}
