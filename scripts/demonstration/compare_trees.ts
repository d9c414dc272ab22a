// Compares two trees by their facts. Pure: what differs, as sentences.

import type { ObjectFacts, TreeFacts } from "./tree_facts.ts";

const KEYS: readonly (keyof ObjectFacts)[] = [
  "type",
  "mode",
  "owner",
  "mtime",
  "sizeBytes",
  "target",
  "linkedTo",
  "digest",
  "attributes",
];

/** Latin-1 names, as tree_facts.ts makes them, shown as people know them. */
function shown(path: string): string {
  const bytes = Uint8Array.from(path, (char) => char.charCodeAt(0));
  return JSON.stringify(new TextDecoder().decode(bytes));
}

/** One sentence for each object that is missing, unexpected or different. */
export function compareTrees(original: TreeFacts, restored: TreeFacts): string[] {
  const differences: string[] = [];
  for (const [path, wanted] of original) {
    const found = restored.get(path);
    if (found === undefined) {
      differences.push(`${shown(path)} is missing`);
      continue;
    }
    for (const key of KEYS) {
      if (found[key] === wanted[key]) continue;
      differences.push(`${shown(path)}: ${key} is ${found[key]}, was ${wanted[key]}`);
    }
  }
  for (const path of restored.keys()) {
    if (!original.has(path)) differences.push(`${shown(path)} was not in the original`);
  }
  return differences;
}

/** Count of objects of every type and the bytes of regular files, each hard-link group once. */
export function sizeOfTree(facts: TreeFacts): { readonly objects: number; readonly bytes: number } {
  let bytes = 0;
  for (const [path, { type, sizeBytes, linkedTo }] of facts) {
    if (type === "f" && (linkedTo === "" || linkedTo === path)) bytes += sizeBytes;
  }
  return { objects: facts.size, bytes };
}
