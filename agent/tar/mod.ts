// The door of the tar room: a pax tar encoder and a strict push parser. Pure: no I/O, no clock.

export { encodeFiller, encodeMemberHeader, memberName, paddingBytes } from "./member_header.ts";
export type { MemberExtra } from "./member_header.ts";
export { checkPath, memberPath, splitPath } from "./member_path.ts";
export { BLOCK_BYTES, encodeSparseMap, sparseDataBytes } from "./sparse_map.ts";
export type { SparseExtent, SparseMap } from "./sparse_map.ts";
export { TarReader } from "./tar_reader.ts";
export type { TarSink } from "./tar_reader.ts";
export {
  MAX_DUMPDIR_BYTES,
  MAX_PATH_BYTES,
  MAX_SPARSE_EXTENTS,
  MAX_XATTR_BYTES,
} from "./limits.ts";
