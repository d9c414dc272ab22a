// The stream contract over storage sockets: on volumes in memory, synchronous and asynchronous,
// and on the emulated array with one volume and with two.

import { attachArray, createArray } from "../../emulator/mod.ts";
import type { Address, Conn, Listener, WaitOptions } from "../../transport/conn.ts";
import { currentRuntime } from "../../transport/runtime/mod.ts";
import { layoutBytes, planLayout } from "../../transport/stp/mod.ts";
import { temporaryArray } from "../unit/emulator/temporary_array.ts";
import {
  connectPair,
  openMemoryBed,
  openStpBed,
  type StpBed,
} from "../unit/transport/stp/stp_bed.ts";
import type { Bed, ListenBedOptions } from "./conn_bed.ts";
import { describeConnConformance } from "./conn_conformance.ts";

const { clock, random } = await currentRuntime();

/** Small frames and many endpoints: the suite opens 32 connections at once. */
const FORMAT = { maxHosts: 2, endpointsPerHost: 40, ringSlots: 8, payloadBytes: 64 * 1024 };
const TIMING = { settleMs: 1, lingerMs: 1000, finMs: 20 };
const IN_FLIGHT_BYTES = FORMAT.ringSlots * FORMAT.payloadBytes;

function volumeBytes(volumeCount: number): number {
  return layoutBytes(planLayout(volumeCount, Number.MAX_SAFE_INTEGER, FORMAT));
}

/** Host 2 listens, host 1 connects; `dispose` frees what lies below. */
function bedOn(bed: StpBed, dispose: () => Promise<void>): Bed {
  const [connector, acceptor] = bed.hosts;
  const at = (host: number, port: number): Address => ({
    family: "AF_STP",
    stg: bed.identity.name,
    host,
    port,
  });
  const listen = async ({ address, backlog }: ListenBedOptions = {}): Promise<Listener> => {
    const socket = acceptor.mechanism.STPsocket();
    await socket.bind(address ?? at(2, 0));
    await socket.listen({ backlog: backlog ?? 8 });
    const close = () => socket.close();
    return {
      addr: socket.getsockname(),
      accept: async (options?: WaitOptions) => (await socket.accept(options)).conn,
      close,
      [Symbol.asyncDispose]: close,
    };
  };
  const connect = async (
    address: Address,
    options: { timeoutMs: number } & WaitOptions,
  ): Promise<Conn> => {
    const socket = connector.mechanism.STPsocket();
    await socket.bind(at(1, 0));
    try {
      await socket.connect(address, options);
    } catch (error) {
      await socket.close();
      throw error;
    }
    return socket.conn;
  };
  return {
    pair: () => connectPair(bed),
    listening: {
      listen,
      connect,
      unusedAddress: () => at(2, 7),
      // A full backlog answers nobody more.
      silentAddress: async () => {
        const listener = await listen({ backlog: 1 });
        await connect(listener.addr, { timeoutMs: 1000 });
        return listener.addr;
      },
    },
    close: async () => {
      await bed.close();
      await dispose();
    },
  };
}

async function memoryBed(volumeCount: number, asynchronous: boolean): Promise<Bed> {
  const bed = await openMemoryBed({
    clock,
    random,
    volumeCount,
    asynchronous,
    volumeBytes: volumeBytes(volumeCount),
    format: FORMAT,
    timing: TIMING,
  });
  return bedOn(bed, () => Promise.resolve());
}

async function arrayBed(volumeCount: number): Promise<Bed> {
  const { path, parts, dispose } = await temporaryArray();
  createArray(path, { volumes: volumeCount, volumeBytes: volumeBytes(volumeCount) }, parts);
  const arrays = ["one", "two"].map((hostName) => attachArray(path, { hostName }, parts));
  const names = Array.from({ length: volumeCount }, (_, index) => `v${index}`);
  const [first, second] = arrays.map((array) => names.map((name) => array.volume(name)));
  const volumes = [first ?? [], second ?? []] as const;
  const bed = await openStpBed({ clock, random, volumes, format: FORMAT, timing: TIMING });
  return bedOn(bed, async () => {
    for (const array of arrays) array.close();
    await dispose();
  });
}

const OPTIONS = { inFlightBytes: IN_FLIGHT_BYTES };
describeConnConformance("STP in memory", () => memoryBed(1, false), OPTIONS);
describeConnConformance("STP in memory, asynchronous", () => memoryBed(2, true), OPTIONS);
describeConnConformance("STP on an array of one volume", () => arrayBed(1), OPTIONS);
describeConnConformance("STP on an array of two volumes", () => arrayBed(2), OPTIONS);
