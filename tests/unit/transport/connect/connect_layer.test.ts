// The connect layer: descriptors by family, routing by their value, the meter, the ends of sockets.

import { describe, expect, test } from "bun:test";
import { ConnectLayer, familyOf } from "../../../../transport/connect/mod.ts";
import {
  FIRST_NETWORK_DESCRIPTOR,
  FIRST_STP_DESCRIPTOR,
  OPEN_SOCKETS_MAX,
} from "../../../../transport/connect/limits.ts";
import { failure } from "./failure.ts";
import { FakeMechanism } from "./fake_mechanism.ts";

function bed() {
  const network = new FakeMechanism("AF_INET");
  const storage = new FakeMechanism("AF_STP");
  return { network, storage, layer: new ConnectLayer({ network, storage }) };
}

const openInet = (layer: ConnectLayer) => layer.socket("AF_INET", "STREAM", "TCP");
const openStp = (layer: ConnectLayer) => layer.socket("AF_STP", "STREAM", "STP");
const TIMEOUT = { timeoutMs: 1000 };

async function connectInet({ layer, network }: ReturnType<typeof bed>): Promise<number> {
  const descriptor = openInet(layer);
  await layer.connect(descriptor, network.address(7), TIMEOUT);
  return descriptor;
}

describe("ConnectLayer descriptors", () => {
  test("socket() gives network descriptors from 3 and STP descriptors from 65536", () => {
    const { layer } = bed();
    expect([openInet(layer), openInet(layer)]).toEqual([3, 4]);
    expect([openStp(layer), openStp(layer)]).toEqual([65536, 65537]);
    expect(FIRST_NETWORK_DESCRIPTOR + OPEN_SOCKETS_MAX <= FIRST_STP_DESCRIPTOR).toBe(true);
    expect([3, 65535, 65536, 99999].map(familyOf)).toEqual([
      "AF_INET",
      "AF_INET",
      "AF_STP",
      "AF_STP",
    ]);
  });

  test("socket() gives the lowest free number again after close", async () => {
    const { layer } = bed();
    const [first] = [openInet(layer), openInet(layer), openInet(layer)];
    await layer.close(first);
    expect(openInet(layer)).toBe(first);
    expect(openInet(layer)).toBe(6);
  });

  test("socket() throws busy when OPEN_SOCKETS_MAX of the family are open, and only of it", async () => {
    const { layer } = bed();
    for (let count = 0; count < OPEN_SOCKETS_MAX; count++) openInet(layer);
    const error = await failure(() => openInet(layer));
    expect(error.code).toBe("busy");
    expect(error.message).toContain(`${OPEN_SOCKETS_MAX} are open`);
    expect(openStp(layer)).toBe(65536);
    await layer.close(100);
    expect(openInet(layer)).toBe(100);
  });

  test("accept() aborts the connection that gets no descriptor", async () => {
    const { layer, network } = bed();
    const listener = openInet(layer);
    for (let count = 1; count < OPEN_SOCKETS_MAX; count++) openInet(layer);
    expect((await failure(() => layer.accept(listener))).code).toBe("busy");
    const error = await failure(() => network.peers[0]?.read(new Uint8Array(1)));
    expect(error.code).toBe("reset");
  });

  test("socket() throws unsupported when the mechanism is not up", async () => {
    const layer = new ConnectLayer({ network: new FakeMechanism("AF_INET"), storage: null });
    const error = await failure(() => openStp(layer));
    expect(error.code).toBe("unsupported");
    expect(error.message).toContain("AF_STP");
  });

  test("socket() asserts that family and protocol agree", () => {
    const { layer } = bed();
    expect(() => layer.socket("AF_STP", "STREAM", "TCP")).toThrow("Assertion failed");
    expect(() => layer.socket("AF_INET", "STREAM", "STP")).toThrow("Assertion failed");
  });
});

describe("ConnectLayer routing", () => {
  test("every call goes to the mechanism that the descriptor's value stands for", async () => {
    const { layer, network, storage } = bed();
    for (const mechanism of [storage, network]) {
      const descriptor = mechanism === storage ? openStp(layer) : openInet(layer);
      await layer.bind(descriptor, mechanism.address(7));
      await layer.listen(descriptor, { backlog: 2 });
      expect(layer.getsockname(descriptor)).toEqual(mechanism.address(7));
      const accepted = await layer.accept(descriptor);
      expect(familyOf(accepted)).toBe(mechanism.family);
      expect(layer.getsockname(accepted)).toEqual(mechanism.address(1));
      expect(mechanism.calls).toEqual(["bind 7", "listen 2", "accept"]);
    }
  });

  test("send() and recv() carry bytes, shutdown() ends the outgoing direction", async () => {
    const b = bed();
    const descriptor = await connectInet(b);
    const [peer] = b.network.peers;
    expect(await b.layer.send(descriptor, Uint8Array.of(1, 2, 3))).toBe(3);
    await b.layer.shutdown(descriptor);
    const into = new Uint8Array(8);
    expect(await peer?.read(into)).toBe(3);
    expect(await peer?.read(into)).toBe(null);
    await peer?.write(Uint8Array.of(9, 8));
    expect(await b.layer.recv(descriptor, into)).toBe(2);
    expect([...into.subarray(0, 2)]).toEqual([9, 8]);
  });

  test("adopt() gives a descriptor in the range of the connection's family", () => {
    const { layer, network, storage } = bed();
    expect(layer.adopt(network.pair(), 0)).toBe(3);
    expect(layer.adopt(storage.pair(), 0)).toBe(65536);
  });
});

describe("ConnectLayer wrong order", () => {
  test("calls on an unconnected socket that need a connection fail an assertion", () => {
    const { layer } = bed();
    const descriptor = openInet(layer);
    expect(() => layer.conn(descriptor)).toThrow("is not connected");
    expect(() => layer.send(descriptor, Uint8Array.of(1))).toThrow("Assertion failed");
    expect(() => layer.recv(descriptor, new Uint8Array(1))).toThrow("Assertion failed");
    expect(() => layer.shutdown(descriptor)).toThrow("Assertion failed");
  });

  test("set-up calls on a connected or adopted socket fail an assertion", async () => {
    const b = bed();
    const { layer, network } = b;
    for (const descriptor of [await connectInet(b), layer.adopt(network.pair(), 0)]) {
      const address = network.address(7);
      for (
        const call of [
          () => layer.bind(descriptor, address),
          () => layer.listen(descriptor, { backlog: 1 }),
          () => layer.accept(descriptor),
          () => layer.connect(descriptor, address, TIMEOUT),
        ]
      ) await expect(call()).rejects.toThrow("is already connected");
    }
  });

  test("any call on a descriptor that is not open throws closed", async () => {
    const { layer, network } = bed();
    const address = network.address(7);
    for (
      const call of [
        () => layer.conn(3),
        () => layer.send(65536, Uint8Array.of(1)),
        () => layer.getsockname(3),
        () => layer.bind(3, address),
        () => layer.connect(3, address, TIMEOUT),
        () => layer.accept(3),
      ]
    ) expect((await failure(call)).code).toBe("closed");
  });
});

describe("ConnectLayer.channelBytes()", () => {
  test("counts both directions of open, closed, aborted and adopted sockets, by mechanism", async () => {
    const b = bed();
    const { layer, network, storage } = b;
    const first = await connectInet(b);
    await layer.send(first, new Uint8Array(10));
    await network.peers[0]?.write(new Uint8Array(5));
    await layer.recv(first, new Uint8Array(8));
    expect(layer.channelBytes()).toEqual({ networkBytes: 15, storageBytes: 0 });
    await layer.close(first);
    expect(layer.channelBytes()).toEqual({ networkBytes: 15, storageBytes: 0 });
    const adopted = layer.adopt(storage.pair(), 100);
    await layer.send(adopted, new Uint8Array(7));
    expect(layer.channelBytes()).toEqual({ networkBytes: 15, storageBytes: 107 });
    layer.abort(adopted, "test");
    const second = await connectInet(b);
    await layer.send(second, new Uint8Array(1));
    await layer[Symbol.asyncDispose]();
    expect(layer.channelBytes()).toEqual({ networkBytes: 16, storageBytes: 107 });
  });
});

describe("ConnectLayer ends", () => {
  test("close() drains and is idempotent; abort() rejects the peer", async () => {
    const b = bed();
    const { layer, network } = b;
    const [first, second] = [await connectInet(b), await connectInet(b)];
    await layer.send(first, Uint8Array.of(4));
    await layer.close(first);
    await layer.close(first);
    const into = new Uint8Array(2);
    expect(await network.peers[0]?.read(into)).toBe(1);
    expect(await network.peers[0]?.read(into)).toBe(null);
    layer.abort(second, "test");
    layer.abort(second, "test");
    expect((await failure(() => network.peers[1]?.read(into))).code).toBe("reset");
  });

  test("abort() closes the mechanism's socket too: a listener stops, a port is given back", async () => {
    const b = bed();
    const listener = openInet(b.layer);
    b.layer.abort(listener, "test");
    expect(b.network.calls).toEqual(["close"]);
    const connected = await connectInet(b);
    b.layer.abort(connected, "test");
    expect(b.network.calls).toEqual(["close", "connect 7", "close"]);
  });

  test("disposing ends every socket, though one of them fails to close", async () => {
    const b = bed();
    const { layer, network } = b;
    await connectInet(b);
    await connectInet(b);
    openInet(layer);
    network.closeError = new Error("no medium");
    await expect(layer[Symbol.asyncDispose]()).rejects.toThrow("no medium");
    expect(network.calls.filter((call) => call === "close")).toHaveLength(3);
    for (const peer of network.peers) {
      expect((await failure(() => peer.read(new Uint8Array(1)))).code).toBe("reset");
    }
  });
});
