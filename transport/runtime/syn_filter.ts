// The program by which the kernel leaves calls to a listening socket unanswered (socket(7),
// SO_ATTACH_FILTER): classic BPF over the TCP header, with the IP header before it. Pure.
//
//   instruction: u16 operation, u8 jump if true, u8 jump if false, u32 operand (all of the host)
//
//   0  load the flags of TCP; without SYN: take
//   2  load the version of IP; 6: go to the second part
//   5  load the source of IPv4; for each refused one: compare, drop
//      take
//      for each refused /64 of IPv6: load and compare both halves, drop
//      take
//
// Connections inherit the program of their listener: it must not drop what carries no SYN.

import type { Refused } from "./arrival_policy.ts";

const LOAD_BYTE = 0x30;
const LOAD_WORD = 0x20;
const SHIFT_RIGHT = 0x74;
const JUMP = 0x05;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_SET = 0x45;
const RETURN = 0x06;

const TAKE = 0xffff_ffff;
const DROP = 0;
const TCP_FLAGS_OFFSET = 13;
const SYN = 0x02;
/** Offsets from here on count from the IP header (SKF_NET_OFF). */
const IP_HEADER = -0x10_0000;
const SOURCE_OFFSET_4 = 12;
const SOURCE_OFFSET_6 = 8;

const INSTRUCTION_BYTES = 8;

type Instruction = readonly [operation: number, ifTrue: number, ifFalse: number, operand: number];

/** @param refused groups of addresses (address_group.ts) */
export function encodeSynFilter(refused: Refused): Uint8Array<ArrayBuffer> {
  const lists = refused === "all" ? [] : refused;
  const four = lists.filter((group) => group.includes(".")).flatMap(dropIpv4);
  const six = lists.filter((group) => !group.includes(".")).flatMap(dropIpv6);
  const bySource: Instruction[] = [
    [LOAD_BYTE, 0, 0, IP_HEADER],
    [SHIFT_RIGHT, 0, 0, 4],
    [JUMP_IF_EQUAL, 0, 1, 6],
    [JUMP, 0, 0, four.length + 2],
    [LOAD_WORD, 0, 0, IP_HEADER + SOURCE_OFFSET_4],
    ...four,
    [RETURN, 0, 0, TAKE],
    ...six,
    [RETURN, 0, 0, TAKE],
  ];
  return encode([
    [LOAD_BYTE, 0, 0, TCP_FLAGS_OFFSET],
    [JUMP_IF_SET, 1, 0, SYN],
    [RETURN, 0, 0, TAKE],
    ...(refused === "all" ? [[RETURN, 0, 0, DROP] as const] : bySource),
  ]);
}

function dropIpv4(group: string): Instruction[] {
  const word = group.split(".").reduce((word, byte) => word * 256 + Number(byte), 0);
  return [[JUMP_IF_EQUAL, 0, 1, word], [RETURN, 0, 0, DROP]];
}

function dropIpv6(group: string): Instruction[] {
  return [
    [LOAD_WORD, 0, 0, IP_HEADER + SOURCE_OFFSET_6],
    [JUMP_IF_EQUAL, 0, 3, parseInt(group.slice(0, 8), 16)],
    [LOAD_WORD, 0, 0, IP_HEADER + SOURCE_OFFSET_6 + 4],
    [JUMP_IF_EQUAL, 0, 1, parseInt(group.slice(8), 16)],
    [RETURN, 0, 0, DROP],
  ];
}

function encode(instructions: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(instructions.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, [operation, ifTrue, ifFalse, operand]] of instructions.entries()) {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, operation, true);
    view.setUint8(at + 2, ifTrue);
    view.setUint8(at + 3, ifFalse);
    view.setUint32(at + 4, operand >>> 0, true);
  }
  return bytes;
}
