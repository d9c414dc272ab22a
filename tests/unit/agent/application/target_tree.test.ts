// The directories of a restore's target, as files enter them.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { TargetTree } from "../../../../agent/application/filesystem/target_tree.ts";
import { files, makeFolder, removeFolder, shell } from "./fixture.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const HOW = { replace: false, keepTimes: false };

describe("TargetTree.enterParent()", () => {
  let folder = "";
  let tree: TargetTree;
  beforeEach(() => {
    folder = makeFolder();
    tree = new TargetTree(files, join(folder, "out"));
  });
  afterEach(() => {
    tree.abort();
    removeFolder(folder);
  });

  const inode = (descriptor: number) => files.statDescriptor(descriptor).inode;
  const inodeOf = (path: string) => BigInt(shell(folder, `stat -c %i out/${path}`).trim());

  test("goes to the directory of each path, wherever the one before it lay", () => {
    const paths = ["aa/x", "aa/y", "bb/x", "bb/cc/x", "bb/x", "x", "aa/x"];
    const entered = paths.map((path) => inode(tree.enterParent(bytes(`/${path}`), HOW)));
    expect(entered).toEqual(paths.map((path) => inodeOf(join(path, ".."))));
  });

  test("sees that another directory was entered meanwhile", () => {
    tree.enterParent(bytes("/aa/x"), HOW);
    tree.enter([bytes("bb")], HOW);
    expect(inode(tree.enterParent(bytes("/aa/x"), HOW))).toBe(inodeOf("aa"));
  });

  test("refuses names that lead elsewhere, also in the directory it is in", () => {
    tree.enterParent(bytes("/aa/x"), HOW);
    for (const path of ["/aa/..", "/aa/.", "/aa/", "/aa/x\0", "aa/x"]) {
      expect(() => tree.enterParent(bytes(path), HOW)).toThrow("the name");
    }
  });
});
