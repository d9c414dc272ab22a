// The mechanism of several groups: the bound address names the group, which is opened once named.

import { describe, expect, test } from "bun:test";
import { ConnectLayer, GroupMechanism } from "../../../../transport/connect/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import { failure } from "./failure.ts";
import { FakeMechanism } from "./fake_mechanism.ts";

const stp = (stg: string) => ({ family: "AF_STP", stg, host: 1, port: 9 }) as const;

function bed() {
  const groups = new Map([
    ["stg0", new FakeMechanism("AF_STP")],
    ["stg1", new FakeMechanism("AF_STP")],
  ]);
  const opened: string[] = [];
  const mechanism = new GroupMechanism((name) => {
    opened.push(name);
    const group = groups.get(name);
    if (group === undefined) throw new AgentError("not_found", `Cannot open group "${name}"`);
    return Promise.resolve(group);
  });
  return { groups, opened, layer: new ConnectLayer({ network: null, storage: mechanism }) };
}

describe("GroupMechanism", () => {
  test("socket() opens no group; bind() opens the one that its address names", async () => {
    const { layer, opened, groups } = bed();
    const descriptor = layer.socket("AF_STP", "STREAM", "STP");
    expect(opened).toEqual([]);
    await layer.bind(descriptor, stp("stg1"));
    await layer.listen(descriptor, { backlog: 1 });
    expect(opened).toEqual(["stg1"]);
    expect(groups.get("stg1")?.calls).toEqual(["bind 9", "listen 1"]);
    expect(groups.get("stg0")?.calls).toEqual([]);
    expect(layer.getsockname(descriptor)).toEqual(stp("stg1"));
  });

  test("accept() and connect() give streams of the group", async () => {
    const { layer, groups } = bed();
    for (const name of ["stg0", "stg1"]) {
      const descriptor = layer.socket("AF_STP", "STREAM", "STP");
      await layer.bind(descriptor, stp(name));
      await layer.connect(descriptor, stp(name), { timeoutMs: 1000 });
      await layer.send(descriptor, Uint8Array.of(5));
      expect(await groups.get(name)?.peers[0]?.read(new Uint8Array(4))).toBe(1);
    }
    const listener = layer.socket("AF_STP", "STREAM", "STP");
    await layer.bind(listener, stp("stg0"));
    await layer.listen(listener, { backlog: 1 });
    expect(await layer.accept(listener)).toBe(65539);
  });

  test("calls before bind() are our own bug; close() before it is not", async () => {
    const { layer } = bed();
    const descriptor = layer.socket("AF_STP", "STREAM", "STP");
    await expect(layer.listen(descriptor, { backlog: 1 })).rejects.toThrow("is bound before");
    await expect(layer.connect(descriptor, stp("stg0"), { timeoutMs: 1 })).rejects
      .toThrow("is bound before");
    await layer.close(descriptor);
  });

  test("bind() takes an STP address, once", async () => {
    const { layer } = bed();
    const descriptor = layer.socket("AF_STP", "STREAM", "STP");
    const inet = { family: "AF_INET", address: "127.0.0.1", port: 1 } as const;
    await expect(layer.bind(descriptor, inet)).rejects.toThrow("Assertion failed");
    await layer.bind(descriptor, stp("stg0"));
    await expect(layer.bind(descriptor, stp("stg0"))).rejects.toThrow("binds once");
  });

  test("bind() throws what opening the group throws, and the socket can be closed", async () => {
    const { layer } = bed();
    const descriptor = layer.socket("AF_STP", "STREAM", "STP");
    expect((await failure(() => layer.bind(descriptor, stp("none")))).code).toBe("not_found");
    await layer.close(descriptor);
  });
});
