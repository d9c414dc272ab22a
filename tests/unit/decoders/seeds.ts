// Good inputs of decoders that have no golden file, made by their encoders.

import * as link from "../../../agent/job/link_frame.ts";
import { encodeDocument as encodeLinkDocument } from "../../../agent/job/link_document.ts";
import { EVERYTHING } from "../../../agent/source_selection.ts";
import { encodeDocument } from "../../../transport/flow/flow_messages.ts";
import {
  concatenate,
  makeArchive,
  makeRecords,
  sampleMembers,
} from "../agent/media/media_fixture.ts";

export { CLIENT, SERVER } from "../agent/config/config_texts.ts";

/** A certificate of web01 and localhost; its key was thrown away. */
export const CERTIFICATE = Uint8Array.fromBase64([
  "MIIBlzCCAT6gAwIBAgIUVPw+Ca6gWrIcAiQAE5CRlIqsZ/8wCgYIKoZIzj0EAwIw",
  "EDEOMAwGA1UEAwwFd2ViMDEwHhcNMjYxMTI3MDkxMjI3WhcNMzYxMTI0MDkxMjI3",
  "WjAQMQ4wDAYDVQQDDAV3ZWIwMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABA4D",
  "Ri7vGasUHDYpYMom5ih4JaGiRP8EMV2ZWs+PAtlw4o/vcLst1tPEwNAK6MX5HLGF",
  "gqbr51yxalCGnPt3QLKjdjB0MB0GA1UdDgQWBBT9P3zq657EmlK6StejDxP5WjJG",
  "yTAfBgNVHSMEGDAWgBT9P3zq657EmlK6StejDxP5WjJGyTAPBgNVHRMBAf8EBTAD",
  "AQH/MCEGA1UdEQQaMBiCBXdlYjAxgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0E",
  "AwIDRwAwRAIgBr1ZoxLCZsx8LO+TzfStpPp03zrM4hstbeEY1P/2WIICIB6qK6GV",
  "nVKGYvSZ2aBPpbf1tLiKWv4npVICqZKddr72",
].join(""));

const archive = makeArchive(sampleMembers());
const records = makeRecords(archive);
const frame = Uint8Array.of(1, 2, 3, 4);

function filled(length: number, fill: (into: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(bytes);
  return bytes;
}

/** The payload of a message: what follows its header. */
const payload = (message: Uint8Array) => message.subarray(link.HEADER_BYTES);

export const ROWS: readonly Uint8Array[] = records.map(({ rows }) => rows);

export const LINK = {
  headers: [filled(8, (into) => link.encodeHeader("data", 1000, into))],
  documents: [
    encodeLinkDocument({
      type: "backup-filesystem",
      channel: "network",
      mayFallBack: true,
      fallback: null,
      backup: "b",
      paths: ["/srv"],
      incremental: false,
      expected: null,
      resume: null,
      ...EVERYTHING,
      exclude: [],
    }),
    encodeLinkDocument({ type: "error", error: { code: "failed", message: "no" } }),
  ],
  data: records.map((record) =>
    payload(filled(link.dataRecordBytes(record), (into) => link.encodeDataRecord(record, into)))
  ),
  restore: [{ sequence: 1, frame, tarBytes: 4096, pieces: [{ offset: 0, length: 512 }] }].map(
    (one) =>
      payload(filled(link.restoreRecordBytes(one), (into) => link.encodeRestoreRecord(one, into))),
  ),
  parent: [
    payload(filled(64, (into) => link.encodeParentChunk({ index: 0, frame, rowBytes: 99 }, into))),
  ],
  tar: [archive.tar, concatenate([archive.tar.subarray(0, 512), new Uint8Array(1024)])],
  rows: [
    Uint8Array.of(0, 2, 0, 0, 0, 1, 65, 255, 255, 255, 255),
    new TextEncoder().encode("SFATAL\0C28000\0Mno entry\0\0"),
    Uint8Array.of(0, 0, 0, 10, 83, 67, 82, 65, 77, 0, 0),
  ],
} as const;

/** Bodies of the flows' documents. */
export const FLOW: readonly Uint8Array[] = [
  encodeDocument({
    type: "hello",
    versionMin: 1,
    versionMax: 9,
    job: "j1",
    token: "00".repeat(16),
    name: "web01",
    connections: 2,
    connection: 1,
  }),
  encodeDocument({
    type: "stg",
    name: "stg0",
    uuid: "00112233445566778899aabbccddeeff",
    volumeUuids: ["00112233445566778899aabbccddeeff"],
    job: "j1",
    token: "00".repeat(16),
  }),
  encodeDocument({ type: "ready" }),
  encodeDocument({ type: "no-port", code: "client_stg_down", reason: "down" }),
  encodeDocument({ type: "port", host: 2, port: 49152, token: "00".repeat(16) }),
].map(([, body = frame]) => body);
