// A bed of the stream contract over storage sockets, whatever its volumes: host 2 listens, host 1
// connects.

import type { Address, Conn, Listener, WaitOptions } from "../../transport/conn.ts";
import { layoutBytes, planLayout } from "../../transport/stp/mod.ts";
import { connectPair, type StpBed } from "../unit/transport/stp/stp_bed.ts";
import type { Bed, ListenBedOptions } from "./conn_bed.ts";

/** Small frames and many endpoints: the suite opens 32 connections at once. */
export const CONN_FORMAT = {
  maxHosts: 2,
  endpointsPerHost: 40,
  ringSlots: 8,
  payloadBytes: 64 * 1024,
};
/** A claim whose write took longer than the settle time is watched for 2.5 heartbeats more. */
export const CONN_TIMING = { heartbeatMs: 100, settleMs: 10, lingerMs: 1000, finMs: 20 };
export const CONN_IN_FLIGHT_BYTES = CONN_FORMAT.ringSlots * CONN_FORMAT.payloadBytes;

/** What each of so many volumes needs. */
export function volumeBytes(volumeCount: number): number {
  return layoutBytes(planLayout(volumeCount, Number.MAX_SAFE_INTEGER, CONN_FORMAT));
}

/** `dispose` frees what lies below. */
export function bedOn(bed: StpBed, dispose: () => Promise<void>): Bed {
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
