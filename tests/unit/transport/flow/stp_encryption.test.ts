// Who decides that a storage connection is encrypted, and when there is none instead.

import { describe, expect, test } from "bun:test";
import type { Address, Conn } from "../../../../transport/conn.ts";
import { StorageError, type StorageGroup } from "../../../../transport/flow/mod.ts";
import {
  encryptionWord,
  makeSecret,
  requireSecret,
} from "../../../../transport/flow/stp_encryption.ts";
import { inet, PLAIN, runtime } from "./flow_bed.ts";

const { random } = runtime;

function group(isRequired: boolean): StorageGroup {
  const encryption = { ...PLAIN, isRequired };
  return { name: "stg0", uuid: "u", volumeUuids: ["v"], host: 1, encryption };
}

/** As much of a connection as the decision looks at. */
function conn(remoteAddr: Address, peerName?: string): Conn {
  return { remoteAddr, peerName } as Conn;
}

const LOCAL = conn(inet(1));
const REMOTE: Address = { family: "AF_INET", address: "10.0.0.7", port: 1 };

const refused = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof StorageError) return `${error.fallback.reason}: ${error.fallback.detail}`;
    throw error;
  }
  return "not at all";
};

describe("makeSecret()", () => {
  test("makes none when nobody needs it", () => {
    expect(makeSecret(group(false), { word: "can", conn: LOCAL, random })).toBe(undefined);
    expect(makeSecret(group(false), { word: undefined, conn: LOCAL, random })).toBe(undefined);
  });

  test("makes a fresh one when one end needs it", () => {
    const secrets = [
      makeSecret(group(true), { word: "can", conn: LOCAL, random }),
      makeSecret(group(false), { word: "must", conn: LOCAL, random }),
      makeSecret(group(true), { word: "must", conn: conn(REMOTE, "vault01"), random }),
    ];
    expect(secrets.every((secret) => /^[0-9a-f]{128}$/.test(secret ?? ""))).toBe(true);
    expect(new Set(secrets).size).toBe(3);
  });

  test("refuses a server that cannot, and a network that others read", () => {
    expect(refused(() => makeSecret(group(true), { word: undefined, conn: LOCAL, random })))
      .toMatch(/^setup_refused: .*server's release cannot encrypt/);
    expect(refused(() => makeSecret(group(false), { word: "must", conn: conn(REMOTE), random })))
      .toMatch(/^setup_refused: .*no TLS/);
  });
});

describe("requireSecret()", () => {
  test("refuses a client that does not encrypt where this host needs it", () => {
    expect(encryptionWord(group(true))).toBe("must");
    expect(refused(() => requireSecret(group(true), undefined))).toMatch(/client does not encrypt/);
    expect(encryptionWord(group(false))).toBe("can");
    expect(refused(() => requireSecret(group(false), undefined))).toBe("not at all");
    expect(refused(() => requireSecret(group(true), "00"))).toBe("not at all");
  });
});
