// Names, places, headers, histories and ranges: what is pure of the room.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";
import { AgentError } from "../../../../transport/ground/error.ts";
import {
  checkSegment,
  decodeBackupRange,
  decodeWalHeader,
  encodeBackupRange,
  formatLsn,
  historyName,
  parseLsn,
  parseTimelineHistory,
  parseWalFileName,
  segmentIndex,
  segmentName,
} from "../../../../agent/wal/mod.ts";
import type { BackupRange } from "../../../../agent/wal/mod.ts";
import { makeSegment, NAME, SEGMENT_BYTES, SYSTEM, textBytes } from "./wal_fixture.ts";
import type { SegmentFields } from "./wal_fixture.ts";

const GOLDEN = fileURLToPath(import.meta.resolve("../../../golden/wal"));
const MIB = 1024 * 1024;

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
  return "nothing thrown";
}

describe("parseWalFileName()", () => {
  test("reads every kind of name that PostgreSQL archives", () => {
    const place = { timeline: 2, log: 0x1a, segment: 0xff };
    const name = "000000020000001A000000FF";
    expect(parseWalFileName(name)).toEqual({ type: "segment", name, ...place });
    const partial = `${name}.partial`;
    expect(parseWalFileName(partial)).toEqual({ type: "partial", name: partial, ...place });
    const backup = `${name}.00000028.backup`;
    expect(parseWalFileName(backup)).toEqual({
      type: "backup",
      name: backup,
      ...place,
      offsetBytes: 0x28,
    });
    expect(parseWalFileName("0000000B.history"))
      .toEqual({ type: "history", name: "0000000B.history", timeline: 11 });
    expect(historyName(11)).toBe("0000000B.history");
  });

  test("takes nothing else", () => {
    const names = [
      "",
      "..",
      "00000001000000000000000",
      "0000000100000000000000010",
      "00000001000000000000000g",
      "00000001000000000000000a",
      "../00000001.history",
      "00000001.history\n",
      "000000010000000000000001\n",
      "000000010000000000000001.partial.zst",
      "000000010000000000000001.28.backup",
      "000000000000000000000001",
      "00000000.history",
      "archive_status",
    ];
    for (const name of names) expect([name, parseWalFileName(name)]).toEqual([name, null]);
  });
});

describe("segmentIndex()", () => {
  test("counts segments across logs, and segmentName() is its inverse", () => {
    const place = { timeline: 3, log: 2, segment: 5 };
    expect(segmentIndex(place, 16 * MIB)).toBe(2 * 256 + 5);
    expect(segmentName(3, 517, 16 * MIB)).toBe("000000030000000200000005");
    expect(segmentIndex({ timeline: 1, log: 0xffffffff, segment: 4095 }, MIB)).toBe(2 ** 44 - 1);
    expect(segmentName(1, 2 ** 44 - 1, MIB)).toBe("00000001FFFFFFFF00000FFF");
    expect(segmentName(1, 7, 1024 * MIB)).toBe("000000010000000100000003");
  });

  test("refuses a segment that a log of this segment size does not have", () => {
    expect(codeOf(() => segmentIndex({ timeline: 1, log: 0, segment: 256 }, 16 * MIB)))
      .toBe("mismatch");
    expect(segmentIndex({ timeline: 1, log: 0, segment: 255 }, 16 * MIB)).toBe(255);
  });
});

describe("parseLsn()", () => {
  test("reads what PostgreSQL writes, and formatLsn() writes it", () => {
    expect(parseLsn("16/B374D848")).toBe(0x16_b374_d848n);
    for (const text of ["0/0", "0/1", "FFFFFFFF/FFFFFFFF", "16/B374D848"]) {
      expect(formatLsn(parseLsn(text) ?? -1n)).toBe(text);
    }
    for (const text of ["", "1", "/", "0/", "0/100000000", "0x1/2", " 0/1", "0/1/2", "0/G"]) {
      expect([text, parseLsn(text)]).toEqual([text, null]);
    }
  });
});

describe("checkSegment()", () => {
  function check(name: string, fields: SegmentFields): string {
    const file = parseWalFileName(name);
    if (file?.type !== "segment" && file?.type !== "partial") {
      throw new Error(`no segment: ${name}`);
    }
    const head = makeSegment(fields);
    return codeOf(() => checkSegment(file, { head, bytes: head.length }));
  }

  test("reads the header of the segment that the name says", () => {
    expect(decodeWalHeader(makeSegment())).toEqual({
      timeline: 1,
      address: 0x1_0030_0000n,
      system: BigInt(SYSTEM),
      segmentBytes: SEGMENT_BYTES,
      pageBytes: 8192,
    });
    expect(check(NAME, {})).toBe("nothing thrown");
    expect(check(`${NAME}.partial`, {})).toBe("nothing thrown");
  });

  test("takes the first segment of a timeline, a copy that names the older one", () => {
    expect(check("000000020000000100000003", { timeline: 1 })).toBe("nothing thrown");
    expect(check(NAME, { timeline: 2 })).toBe("mismatch");
  });

  test("refuses another segment, another length and what is none", () => {
    expect(check(NAME, { address: 0x1_0040_0000n })).toBe("mismatch");
    expect(check("000000010000000000000003", {})).toBe("mismatch");
    expect(check(NAME, { bytes: SEGMENT_BYTES - 1 })).toBe("mismatch");
    expect(check(NAME, { bytes: 2 * SEGMENT_BYTES })).toBe("mismatch");
    // A segment 0x1003 that would be 0x3 of the next log.
    expect(check("000000010000000000001003", {})).toBe("mismatch");
    expect(check(NAME, { bytes: 39 })).toBe("damaged");
    expect(check(NAME, { magic: 0 })).toBe("damaged");
    expect(check(NAME, { magic: 0xd210 })).toBe("damaged");
    expect(check(NAME, { info: 0 })).toBe("damaged");
    expect(check(NAME, { timeline: 0 })).toBe("damaged");
    for (const segmentBytes of [512 * 1024, 3 * MIB]) {
      expect(check(NAME, { segmentBytes })).toBe("damaged");
    }
  });
});

describe("files of a PostgreSQL 15 server that was recovered to a point and promoted", () => {
  const golden = (name: string) => new Uint8Array(readFileSync(`${GOLDEN}/${name}`));

  test("the first segment of the new timeline has the page header of the old one", () => {
    const common = { system: 7712775213448698501n, segmentBytes: MIB, pageBytes: 8192 };
    for (const [name, address] of [["0000000A", 0xa0_0000n], ["0000000F", 0xf0_0000n]] as const) {
      const full = `0000000${name === "0000000A" ? 1 : 2}00000000${name}`;
      const head = golden(`${full}.head`);
      expect(decodeWalHeader(head)).toEqual({ timeline: 1, address, ...common });
      const file = parseWalFileName(full);
      if (file?.type !== "segment") throw new Error(full);
      expect(checkSegment(file, { head, bytes: MIB }).address).toBe(address);
    }
  });

  test("the history says where it forked off", () => {
    expect(parseTimelineHistory(2, golden("00000002.history")))
      .toEqual([{ timeline: 1, switchLsn: 0xf4_fd28n, reason: "after LSN 0/F4FC88" }]);
  });
});

describe("parseTimelineHistory()", () => {
  test("reads ancestors, oldest first, and passes over comments", () => {
    const text = "1\t0/30000D8\tno recovery target specified\n\n# by hand\n" +
      "2\t16/B374D848\tbefore 2024-01-01 00:00:00+00\n";
    expect(parseTimelineHistory(3, textBytes(text))).toEqual([
      { timeline: 1, switchLsn: 0x300_00d8n, reason: "no recovery target specified" },
      { timeline: 2, switchLsn: 0x16_b374_d848n, reason: "before 2024-01-01 00:00:00+00" },
    ]);
    expect(parseTimelineHistory(2, textBytes(""))).toEqual([]);
  });

  test("refuses what PostgreSQL refuses", () => {
    const texts = [
      "1\n",
      "one\t0/1\tx\n",
      "1\t0/G\tx\n",
      "2\t0/1\tx\n1\t0/2\tx\n",
      "1\t0/1\tx\n1\t0/2\tx\n",
      "3\t0/1\tits own\n",
      "0\t0/1\tx\n",
      "1\t0/1\tx\n\u0000\u0000\n",
    ];
    for (const text of texts) {
      expect([text, codeOf(() => parseTimelineHistory(3, textBytes(text)))])
        .toEqual([text, "damaged"]);
    }
  });
});

describe("decodeBackupRange()", () => {
  const RANGE: BackupRange = {
    system: SYSTEM,
    timeline: 4,
    startLsn: 0x16_b374_d848n,
    stopLsn: 0x16_b374_d950n,
    stopMs: 1_732_660_000_123,
    segmentBytes: 16 * MIB,
    archived: true,
  };

  test("reads what encodeBackupRange() writes, and keys of a newer agent beside it", () => {
    const bytes = encodeBackupRange(RANGE);
    expect(new TextDecoder().decode(bytes)).toBe(
      `{"system":"${SYSTEM}","timeline":4,"startLsn":"16/B374D848","stopLsn":"16/B374D950",` +
        `"stopMs":1732660000123,"segmentBytes":16777216,"archived":true}\n`,
    );
    expect(decodeBackupRange(bytes)).toEqual(RANGE);
    const older = new TextDecoder().decode(bytes).replace(`,"archived":true`, "");
    expect(decodeBackupRange(textBytes(older))).toEqual({ ...RANGE, archived: false });
    const newer = new TextDecoder().decode(bytes).replace("{", `{"more":true,`);
    expect(decodeBackupRange(textBytes(newer))).toEqual(RANGE);
  });

  test("refuses what is none", () => {
    const line = new TextDecoder().decode(encodeBackupRange(RANGE));
    const wrong = [
      "",
      line.slice(0, 40),
      line.replace(SYSTEM, "../x"),
      line.replace("16/B374D848", "17/0"),
      line.replace("16/B374D848", "nowhere"),
      line.replace("16777216", "16777217"),
      line.replace(`"timeline":4`, `"timeline":0`),
    ];
    for (const text of wrong) {
      expect([text, codeOf(() => decodeBackupRange(textBytes(text)))]).toEqual([text, "damaged"]);
    }
  });
});
