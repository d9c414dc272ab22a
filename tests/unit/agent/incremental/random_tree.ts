// Random changes to a tree: everything that a user, a program or a package may do to it.

import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { AT_CWD } from "../../../../transport/runtime/files.ts";
import { files } from "../application/fixture.ts";
import type { SeededRandom } from "../../../simulation/seeded_random.ts";

/** Names whose order by bytes differs from that of their full paths, and odd ones. */
const NAMES = ["a", "a-b", "a.c", "a b", "b", "B", "c\u0001", "ä", "z", "new\nline", "-x"] as const;

type Change = (tree: RandomTree) => void;

export class RandomTree {
  readonly root: string;
  readonly random: SeededRandom;
  #files = 0;

  constructor(root: string, random: SeededRandom) {
    this.root = root;
    this.random = random;
  }

  /** Makes a first tree. */
  grow(count: number): void {
    for (let made = 0; made < count; made++) {
      this.random.chance(0.3) ? this.makeDirectory() : this.makeFile();
    }
  }

  /** Changes the tree a few times. @returns what was done */
  change(count: number, { without = "" }: { readonly without?: string } = {}): string[] {
    const done: string[] = [];
    for (let made = 0; made < count; made++) {
      const [name, change] = this.random.pick(CHANGES);
      if (name === without) continue;
      change(this);
      done.push(name);
    }
    return done;
  }

  makeFile(): void {
    const path = this.freePath();
    // Some are larger than a frame, some empty. No two large ones have the same size: files that
    // are made in one tick of the kernel's clock have the same time, too.
    const bytes = this.random.chance(0.05) ? 150_000 + this.#files++ : this.random.below(3000);
    if (path !== null) writeFileSync(path, this.random.bytes(this.random.chance(0.1) ? 0 : bytes));
  }

  makeDirectory(): void {
    const path = this.freePath();
    if (path !== null) mkdirSync(path);
  }

  /** A path that is not there, below a directory that is. */
  freePath(): string | null {
    const directories = [this.root, ...this.all((path) => lstatSync(path).isDirectory())];
    const directory = directories[this.random.below(directories.length)] ?? this.root;
    const path = `${directory}/${this.random.pick(NAMES)}${this.random.below(4)}`;
    // A link to nowhere is there as well.
    return lstatSync(path, { throwIfNoEntry: false }) === undefined ? path : null;
  }

  file(): string | null {
    return this.any((path) => lstatSync(path).isFile());
  }

  any(wanted: (path: string) => boolean = () => true): string | null {
    const paths = this.all(wanted);
    return paths[this.random.below(paths.length)] ?? null;
  }

  all(wanted: (path: string) => boolean): string[] {
    const found: string[] = [];
    const visit = (directory: string) => {
      for (const name of readdirSync(directory).sort()) {
        const path = `${directory}/${name}`;
        if (wanted(path)) found.push(path);
        if (lstatSync(path).isDirectory()) visit(path);
      }
    };
    visit(this.root);
    return found;
  }
}

const CHANGES: readonly [readonly [string, Change], ...(readonly [string, Change])[]] = [
  ["create a file", (tree) => tree.makeFile()],
  ["create a directory", (tree) => tree.makeDirectory()],
  ["rewrite with the same size and times", (tree) => {
    const path = tree.file();
    if (path === null) return;
    // By libc: the runtimes' own calls lose nanoseconds.
    const { sizeBytes, atimeNs, mtimeNs } = files.stat(AT_CWD, path);
    writeFileSync(path, tree.random.bytes(sizeBytes));
    files.setTimes(AT_CWD, path, atimeNs, mtimeNs);
  }],
  ["truncate", (tree) => {
    const path = tree.file();
    if (path !== null) truncateSync(path, tree.random.below(2000));
  }],
  ["delete a file", (tree) => {
    const path = tree.any((path) => !lstatSync(path).isDirectory());
    if (path !== null) unlinkSync(path);
  }],
  ["delete a tree", (tree) => {
    const path = tree.any();
    if (path !== null && tree.random.chance(0.5)) rmSync(path, { recursive: true });
  }],
  ["rename", (tree) => {
    const from = tree.any();
    const to = tree.freePath();
    if (from !== null && to !== null && !to.startsWith(`${from}/`)) renameSync(from, to);
  }],
  ["touch back in time", (tree) => {
    const path = tree.any((path) => !lstatSync(path).isSymbolicLink());
    if (path !== null) utimesSync(path, 1e9, 1e9 + tree.random.below(1000));
  }],
  ["change the mode", (tree) => {
    const path = tree.any((path) => !lstatSync(path).isSymbolicLink());
    if (path !== null) chmodSync(path, lstatSync(path).isDirectory() ? 0o750 : 0o640);
  }],
  ["add a hard link", (tree) => {
    const [from, to] = [tree.file(), tree.freePath()];
    if (from !== null && to !== null) linkSync(from, to);
  }],
  ["remove a hard link", (tree) => {
    const path = tree.any((path) => lstatSync(path).isFile() && lstatSync(path).nlink > 1);
    if (path !== null) unlinkSync(path);
  }],
  ["make a symbolic link", (tree) => {
    const path = tree.freePath();
    if (path !== null) symlinkSync(`t${tree.random.below(9)}`, path);
  }],
  ["replace a directory by a file", (tree) => {
    const path = tree.any((path) => lstatSync(path).isDirectory());
    if (path === null || tree.random.chance(0.5)) return;
    rmSync(path, { recursive: true });
    writeFileSync(path, "a file now");
  }],
  ["replace a file by a directory", (tree) => {
    const path = tree.any((path) => !lstatSync(path).isDirectory());
    if (path === null) return;
    unlinkSync(path);
    mkdirSync(path);
    writeFileSync(`${path}/inside`, "a directory now");
  }],
];
