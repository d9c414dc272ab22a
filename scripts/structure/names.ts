// Names of files and folders, and what each room must have: its door (mod.ts) and its README.
//
// A folder of product code is a room of this list or a plain folder; a new one is added here, so
// that the map of the product stays known.

import { type Finding, isProduct, type Tree } from "./finding.ts";

export const ROOMS: readonly string[] = [
  "transport/runtime",
  "transport/tcp",
  "transport/tls",
  "transport/raw",
  "transport/stp",
  "transport/memory",
  "transport/relay",
  "transport/sealed",
  "transport/connect",
  "transport/flow",
  "emulator",
  "agent/application",
  "agent/bench",
  "agent/catalog",
  "agent/cli",
  "agent/client",
  "agent/config",
  "agent/control",
  "agent/doctor",
  "agent/encryption",
  "agent/job",
  "agent/media",
  "agent/pki",
  "agent/postgresql",
  "agent/schedule",
  "agent/server",
  "agent/stg",
  "agent/tar",
  "agent/vault",
  "agent/wal",
];

/** Folders without a door: their files are imported one by one. */
const PLAIN_FOLDERS: readonly string[] = ["transport", "transport/ground", "agent"];

/** Sub-folders that a room keeps for itself. */
const INNER = /^agent\/(?:application|cli|control)\/[a-z_]+$/;

const VAGUE = new Set(["utils", "util", "common", "helpers", "helper", "manager", "misc"]);
const FILE_NAME = /^[a-z0-9]+(?:_[a-z0-9]+)*(?:\.test|\.d)?\.ts$/;

function folderOf(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}

/** Rules `file-name`, `vague-name`, `header`. */
export function* checkNames(tree: Tree): Generator<Finding> {
  for (const { path, raw } of tree.files) {
    const at = { path, line: 1 };
    const name = path.split("/").at(-1) ?? "";
    if (name.endsWith(".ts") && !FILE_NAME.test(name)) {
      yield { ...at, rule: "file-name", what: `"${name}" is not snake_case` };
    }
    const vague = path.replace(/\.[a-z.]+$/, "").split(/[/_-]/).find((part) => VAGUE.has(part));
    if (vague !== undefined) {
      yield { ...at, rule: "vague-name", what: `"${vague}" says nothing about what is inside` };
    }
    if (name.endsWith(".ts") && !/^(?:#!.*\n)?\s*(?:\/\/|\/\*)/.test(raw)) {
      yield { ...at, rule: "header", what: "does not start with a comment that says what it is" };
    }
  }
}

/** Rule `room`. */
export function* checkRooms(tree: Tree): Generator<Finding> {
  const paths = new Set(tree.files.map((file) => file.path));
  const folders = new Set(
    tree.files.filter((file) => file.source !== null && isProduct(file.path))
      .map((file) => folderOf(file.path)).filter((folder) => folder !== ""),
  );
  for (const folder of folders) {
    if (PLAIN_FOLDERS.includes(folder) || INNER.test(folder)) continue;
    if (!ROOMS.includes(folder)) {
      yield { path: folder, line: 1, rule: "room", what: "is no known room of the product" };
      continue;
    }
    for (const needed of ["mod.ts", "README.md"]) {
      if (paths.has(`${folder}/${needed}`)) continue;
      yield { path: folder, line: 1, rule: "room", what: `has no ${needed}` };
    }
  }
}
