// The greeting between two ends in memory, and the names of certificates, good and broken.

import { afterAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { issueCertificate } from "../../../../agent/pki/mod.ts";
import { AgentError } from "../../../../transport/ground/error.ts";
import type { TlsPeer } from "../../../../transport/runtime/mod.ts";
import { certificateNames } from "../../../../transport/tls/certificate_names.ts";
import { exchangeGreeting } from "../../../../transport/tls/greeting.ts";
import { TemporaryPki } from "./temporary_pki.ts";

const pki = await TemporaryPki.make();
const request = { name: "web01", addresses: ["db01", "10.0.0.7", "fe80::1"] };
const { cert } = await issueCertificate(pki.directory, request, pki.parts);
const certificate: Uint8Array = new X509Certificate(readFileSync(cert, "utf8")).raw;

afterAll(() => pki[Symbol.dispose]());

/** A peer that shows `certificate`, answers with these bytes, and notes what it is told. */
function peer(side: TlsPeer["side"], answer: readonly number[], told: number[]): TlsPeer {
  return {
    side,
    certificate,
    address: "h:1",
    read: (into) => {
      into.set(answer);
      return Promise.resolve(answer.length === 0 ? null : answer.length);
    },
    write: (from) => {
      told.push(...from);
      return Promise.resolve(from.length);
    },
  };
}

async function outcome(peer: TlsPeer, peers: readonly string[]): Promise<string> {
  try {
    return await exchangeGreeting(peer, { name: "vault01", peers });
  } catch (error) {
    if (error instanceof AgentError && error.code === "auth") return error.message;
    throw error;
  }
}

describe("exchangeGreeting()", () => {
  for (const side of ["listening", "connecting"] as const) {
    test(`accepts the one configured name, ${side}`, async () => {
      const told: number[] = [];
      expect(await outcome(peer(side, [1], told), ["web01", "app01"])).toBe("web01");
      expect(told).toEqual([1]);
    });

    test(`refuses no name and two names of a certificate, ${side}`, async () => {
      for (const peers of [["app01"], ["web01", "db01"], []]) {
        const told: number[] = [];
        expect(await outcome(peer(side, [1], told), peers)).toContain('found "web01", "db01"');
        expect(told).toEqual([2]);
      }
    });

    test(`is refused by the other's word, by its end, and by nonsense, ${side}`, async () => {
      const refused = await outcome(peer(side, [2], []), ["web01"]);
      expect(refused).toContain('"web01" found "vault01" in our certificate');
      for (const answer of [[], [7]]) {
        expect(await outcome(peer(side, answer, []), ["web01"])).toContain("ended it instead");
      }
    });
  }

  test("names do not match by case or by a part", async () => {
    for (const name of ["WEB01", "web0", "web01.", "web01,db01"]) {
      expect(await outcome(peer("listening", [1], []), [name])).toContain("in its certificate");
    }
  });
});

describe("certificateNames()", () => {
  test("gives the DNS names alone, in their order", () => {
    expect(certificateNames(certificate)).toEqual(["web01", "db01"]);
  });

  test("gives names or an error of code auth for whatever comes", () => {
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(certificate.length).map((end) => certificate.slice(0, end)),
      fc.tuple(fc.nat(certificate.length - 1), fc.nat(255)).map(([at, value]) => {
        const changed = certificate.slice();
        changed[at] = value;
        return changed;
      }),
    );
    fc.assert(fc.property(broken, (bytes) => {
      try {
        return certificateNames(bytes).every((name) => typeof name === "string");
      } catch (error) {
        return error instanceof AgentError && error.code === "auth";
      }
    }));
  });
});
