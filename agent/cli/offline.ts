// Operations that need no daemon: on an array's directory and on an STG's volumes. Types only.
//
// The composition root fills them in, because only it may import the emulator. All values are
// plain data and go out as JSON as they are.

import type { StgBenchFigures } from "../bench/mod.ts";
import type { ArrayDeviceMap, ArrayView, StgView } from "../control/mod.ts";
import type { StgConfig } from "../config/mod.ts";

export interface ArrayFinding {
  readonly code: string;
  readonly subject: string;
  readonly message: string;
  /** The place, when the finding is that records were lost. */
  readonly lost?: ArrayLoss;
}

/** Records in a row whose last content is gone. */
export interface ArrayLoss {
  readonly device: string;
  readonly offsetBytes: number;
  readonly bytes: number;
}

export interface ArrayRepair {
  readonly found: readonly ArrayFinding[];
  readonly mended: readonly { readonly subject: string; readonly message: string }[];
  readonly lost: readonly ArrayLoss[];
}

/** A rule of faults: its keys as in faults.json, and how often it fired. */
export interface ArrayFault {
  readonly id: number;
  readonly rule: Readonly<Record<string, string | number>>;
  readonly fired: number;
}

export interface FormatReport {
  readonly stg: string;
  readonly uuid: string;
  readonly volumes: readonly string[];
}

export interface OfflineOperations {
  /** Makes an array; null leaves the size to it. */
  arrayCreate(options: {
    readonly directory: string;
    readonly volumes: number;
    readonly volumeBytes: number;
    readonly boards: number | null;
    readonly cacheBytes: number | null;
  }): ArrayView | Promise<ArrayView>;
  arrayStatus(directory: string): ArrayView | Promise<ArrayView>;
  arrayMap(directory: string): readonly ArrayDeviceMap[] | Promise<readonly ArrayDeviceMap[]>;
  /** Everything that is wrong; nothing when the array is sound. */
  arrayCheck(directory: string): readonly ArrayFinding[] | Promise<readonly ArrayFinding[]>;
  /** @throws AgentError `busy` while somebody is attached */
  arrayRepair(
    directory: string,
    options: { readonly acceptLoss: boolean },
  ): ArrayRepair | Promise<ArrayRepair>;
  arrayDestage(
    directory: string,
  ): { readonly tracks: number } | Promise<{ readonly tracks: number }>;
  /** The cache loses its content; hosts that are attached get errors until they attach again. */
  arrayPowerFail(
    directory: string,
  ): { readonly tracks: number } | Promise<{ readonly tracks: number }>;
  /** @throws AgentError `busy` while somebody is attached */
  arrayRemove(directory: string): void | Promise<void>;
  /** @param fields keys of a rule in faults.json, as texts */
  arrayFaultAdd(
    directory: string,
    fields: Readonly<Record<string, string>>,
  ): ArrayFault | Promise<ArrayFault>;
  arrayFaultList(directory: string): readonly ArrayFault[] | Promise<readonly ArrayFault[]>;
  /** @param id null for all rules */
  arrayFaultClear(
    directory: string,
    id: number | null,
  ): { readonly rules: number } | Promise<{ readonly rules: number }>;
  arrayFaultApply(
    directory: string,
  ): { readonly rules: number } | Promise<{ readonly rules: number }>;
  stgFormat(stg: StgConfig, options: { readonly force: boolean }): Promise<FormatReport>;
  /** Reads the volumes; claims nothing. */
  stgStatus(stg: StgConfig): Promise<StgView>;
  /** Measures the group with a second process; claims two free host ids meanwhile. */
  stgBench(stg: StgConfig, options: {
    readonly frameBytes: number;
    readonly seconds: number;
    /** Arguments that make the program the second process of this benchmark. */
    readonly second: (token: string) => readonly string[];
    readonly signal: AbortSignal;
  }): Promise<StgBenchFigures>;
  /** Is the second process of a benchmark. @returns its exit code */
  stgBenchSecond(
    stg: StgConfig,
    options: { readonly token: string; readonly signal: AbortSignal },
  ): Promise<number>;
}
