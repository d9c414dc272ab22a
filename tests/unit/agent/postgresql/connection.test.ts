// The protocol of PostgreSQL: messages out, and whatever comes in, in pieces of any size.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentError } from "../../../../transport/mod.ts";
import { PostgresConnection } from "../../../../agent/postgresql/connection.ts";
import {
  decodeReport,
  decodeRow,
  encodeQuery,
  encodeStartup,
  type ServerReport,
} from "../../../../agent/postgresql/message.ts";
import { message, report, row, ScriptedSocket } from "./scripted_socket.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function connectionOf(messages: readonly Uint8Array[], pieceBytes?: () => number) {
  const notices: ServerReport[] = [];
  const socket = new ScriptedSocket(messages, pieceBytes);
  const onNotice = (notice: ServerReport) => void notices.push(notice);
  const connection = new PostgresConnection({ socket, path: "/run/s", onNotice });
  return { connection, notices, socket };
}

describe("messages to the server", () => {
  test("a startup has its length, the version 3.0 and pairs of texts", () => {
    const startup = encodeStartup({ user: "postgres", replication: "true" });
    expect(text(startup)).toBe("\0\0\0\x28\0\x03\0\0user\0postgres\0replication\0true\0\0");
  });

  test("a query is a Q with its length and text", () => {
    expect(text(encodeQuery("SHOW x"))).toBe("Q\0\0\0\x0bSHOW x\0");
  });
});

describe("messages of the server", () => {
  test("come whole, in order, whatever the pieces are", () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 20 });
    const pieces = fc.infiniteStream(fc.nat({ max: 90 }));
    fc.assert(fc.property(bodies, pieces, (sent, sizes) => {
      const { connection } = connectionOf(
        sent.map((body) => message("d", body)),
        () => sizes.next().value ?? 1,
      );
      const came: Uint8Array[] = [];
      while (came.length < sent.length) {
        const next = connection.next();
        if (next !== null) came.push(next.body.slice());
      }
      expect(came).toEqual(sent);
      expect(() => connection.next()).toThrow("hung up");
    }));
  });

  test("may be longer than the buffer", () => {
    const body = new Uint8Array(3 * 1024 * 1024).map((_, index) => index % 251);
    const { connection } = connectionOf([message("d", body), message("Z", "I")]);
    let next = connection.next();
    while (next === null) next = connection.next();
    expect(next.body).toEqual(body);
    expect(connection.next()?.type).toBe("Z");
  });

  test("parameters are kept, notices told, and neither handed out", () => {
    const { connection, notices } = connectionOf([
      message("S", "server_version\x0015.18\0"),
      message("N", report({ S: "WARNING", V: "WARNING", C: "01000", M: "still waiting" })),
      message("Z", "I"),
    ]);
    expect(connection.next()?.type).toBe("Z");
    expect(connection.parameter("server_version")).toBe("15.18");
    expect(notices).toEqual([
      { severity: "WARNING", code: "01000", message: "still waiting", hint: null },
    ]);
  });

  test("errors are operating errors with a code by their SQLSTATE", () => {
    for (
      const [state, code] of [
        ["28000", "auth"],
        ["57P03", "unreachable"],
        ["53300", "busy"],
        ["XX001", "failed"],
      ] as const
    ) {
      const said = report({ S: "FATAL", C: state, M: "no way", H: "do that" });
      const { connection } = connectionOf([message("E", said)]);
      let thrown: unknown = null;
      try {
        connection.next();
      } catch (error) {
        thrown = error;
      }
      expect(thrown instanceof AgentError && [thrown.code, thrown.message.includes("no way")])
        .toEqual([code, true]);
    }
  });

  test("a length that no message has is damage, before anything is allocated", () => {
    for (const length of [0, 3, 17 * 1024 * 1024, 0xffff_ffff]) {
      const header = message("d", "");
      new DataView(header.buffer).setUint32(1, length);
      const { connection } = connectionOf([header]);
      expect(() => connection.next()).toThrow(`a message of ${length} bytes`);
    }
  });
});

describe("bodies", () => {
  test("a row gives its columns back, null included", () => {
    const column = fc.option(fc.string({ maxLength: 20 }));
    fc.assert(fc.property(fc.array(column, { maxLength: 8 }), (columns) => {
      expect(decodeRow(row(...columns))).toEqual(columns);
    }));
  });

  test("no bytes are anything but damaged", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
      for (const decode of [decodeRow, decodeReport]) {
        try {
          decode(body);
        } catch (error) {
          expect(error instanceof AgentError && error.code).toBe("damaged");
        }
      }
    }));
  });
});
