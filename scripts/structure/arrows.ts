// Who may import whom, as data: main.ts -> agent -> transport; the emulator knows only the volume
// contract, ground and runtime types; only the composition root joins emulator and transport.
//
// Rules:
//  arrow    an import that no line of ALLOWED permits
//  sibling  a transport that imports another transport
//  package  product code that imports something that is not in "dependencies"
//  cycle    modules that import each other at run time

import { type Finding, isProduct, type Tree } from "./finding.ts";
import { type Import, resolveImport, scanImports } from "./import_scan.ts";

interface Arrow {
  readonly from: RegExp;
  readonly to: RegExp;
  /** The import must be erased at run time. */
  readonly typesOnly?: true;
}

const COMPOSITION_ROOT = /^agent\/compose(?:_[a-z0-9_]+)?\.ts$/;
const SIBLINGS = /^transport\/(tcp|stp|raw|memory|relay|sealed)\//;

const ALLOWED: readonly Arrow[] = [
  { from: /^(?:main|mod)\.ts$/, to: /^(?:main\.ts$|agent\/|transport\/)/ },
  { from: /^agent\//, to: /^(?:agent|transport)\// },
  { from: COMPOSITION_ROOT, to: /^emulator\// },
  { from: /^transport\//, to: /^transport\// },
  { from: /^emulator\//, to: /^emulator\// },
  { from: /^emulator\//, to: /^transport\/(?:volume\.ts$|ground\/)/ },
  { from: /^emulator\//, to: /^transport\/runtime\//, typesOnly: true },
  // The contract of files is types, and the class of its errors.
  { from: /^emulator\//, to: /^transport\/runtime\/files\.ts$/ },
];

export interface Edge extends Import {
  readonly from: string;
  /** Null for a package. */
  readonly to: string | null;
}

export function edgesOf(tree: Tree): Edge[] {
  return tree.files.flatMap((file) =>
    file.source === null ? [] : scanImports(file.source).map((found) => ({
      ...found,
      from: file.path,
      to: resolveImport(file.path, found.specifier),
    }))
  );
}

function isAllowed(edge: Edge, to: string): boolean {
  return ALLOWED.some((arrow) =>
    arrow.from.test(edge.from) && arrow.to.test(to) && (!arrow.typesOnly || edge.typeOnly)
  );
}

/** Arrows between rooms and to packages. */
export function* checkArrows(tree: Tree): Generator<Finding> {
  for (const edge of edgesOf(tree)) {
    if (!isProduct(edge.from)) continue;
    const at = { path: edge.from, line: edge.line };
    if (edge.to === null) {
      yield* checkPackage(edge, tree);
      continue;
    }
    if (!isAllowed(edge, edge.to)) {
      yield { ...at, rule: "arrow", what: `must not import ${edge.to}` };
    }
    const [from, to] = [SIBLINGS.exec(edge.from)?.[1], SIBLINGS.exec(edge.to)?.[1]];
    if (from !== undefined && to !== undefined && from !== to) {
      yield { ...at, rule: "sibling", what: `transport ${from} must not import ${to}` };
    }
  }
}

function* checkPackage(edge: Edge, tree: Tree): Generator<Finding> {
  const { specifier, from, line } = edge;
  // What a runtime has built in is the seam rule's business.
  if (/^(?:node|bun):/.test(specifier) || tree.packages === null) return;
  const name = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  if (!tree.packages.dependencies.has(name)) {
    yield { path: from, line, rule: "package", what: `"${name}" is not in dependencies` };
  }
}

/** Cycles among imports that exist at run time, each reported once. */
export function* checkCycles(tree: Tree): Generator<Finding> {
  const next = new Map<string, Edge[]>();
  for (const edge of edgesOf(tree)) {
    if (edge.typeOnly || edge.to === null) continue;
    next.set(edge.from, [...next.get(edge.from) ?? [], edge]);
  }
  const done = new Set<string>();
  const path: string[] = [];
  function* visit(file: string): Generator<Finding> {
    path.push(file);
    for (const edge of next.get(file) ?? []) {
      const to = edge.to ?? "";
      const start = path.indexOf(to);
      if (start >= 0) {
        const what = [...path.slice(start), to].join(" -> ");
        yield { path: file, line: edge.line, rule: "cycle", what };
      } else if (!done.has(to)) yield* visit(to);
    }
    path.pop();
    done.add(file);
  }
  for (const file of next.keys()) if (!done.has(file)) yield* visit(file);
}
