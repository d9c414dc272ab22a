// Each row of "What is kept" in the README, on a backup between two real processes: restored by the
// program and by stock zstd and tar, compared by rsync, find, b2sum and getfattr.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { readTreeFacts, type TreeFacts } from "../../scripts/demonstration/tree_facts.ts";
import { type AttributeFolder, isRoot, makeAttributeFolder } from "../attribute_folder.ts";
import { Bed, type CommandResult } from "./bed.ts";
import { CAPABILITIES, longPathFacts, makeFidelityTree, ROWS } from "./fidelity_tree.ts";
import { differences } from "./odd_tree.ts";

const TIMEOUT_MS = 120_000;

/** Long ago: a read that moves the access time shows. */
const ACCESSED = "1000000000.000000000";

describe("what is kept", () => {
  let bed: Bed;
  let place: AttributeFolder;
  const socket = createServer();
  let made: CommandResult;
  let facts: TreeFacts;
  const accessed = new Map<string, string>();
  const at = (...parts: readonly string[]) => join(place.path, ...parts);
  const restored = (by: string, name: string) => join(at(by), place.path, name);

  /** What both ways of restoring got wrong, found when the first row asks. */
  const found = new Map<string, readonly string[]>();

  async function run(script: string, ...args: readonly string[]): Promise<string> {
    return new TextDecoder("latin1").decode(await needTool(["sh", "-c", script, "sh", ...args]));
  }

  beforeAll(async () => {
    place = makeAttributeFolder();
    bed = await Bed.started();
    await makeFidelityTree(place.path);
    mkdirSync(at("sockets"));
    await new Promise<void>((resolve) => socket.listen(at("sockets", "socket"), resolve));
    facts = await readTreeFacts(at("tree"));
    const looked = ["kinds/file", "kinds", "names", "links/first", "holes/full", "holes/middle"];
    await run('cd "$1"; shift; touch -a -d @1000000000 "$@"', at("tree"), ...looked);
    const paths = ["tree", "long", "huge", "sockets"].map((name) => at(name));
    made = await bed.json("server", "backup", "filesystem", "--client", "web01", ...paths);
    for (const name of looked) {
      accessed.set(name, (await run('stat -c %.9X "$1"', at("tree", name))).trim());
    }
    const backup = made.summary?.backup ?? "";
    await bed.job("server", "restore", backup, "--target", at("ours"));
    mkdirSync(at("tar"));
    const media = bed.path("vault", "media", `${backup}.tar.zst`);
    const flags = "--xattrs --xattrs-include='*' --acls --numeric-owner";
    // No path that is longer than one call can name: the one thing that GNU tar cannot make.
    await run(
      `zstd -dc "$1" | tar ${flags} -xpf - -C "$2" --exclude '*/dddd*/*'`,
      media,
      at("tar"),
    );
    for (const by of ["ours", "tar"]) {
      found.set(by, await differences(at("tree"), restored(by, "tree")));
    }
  }, TIMEOUT_MS);

  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]();
    socket.close();
    place?.[Symbol.dispose]();
  });

  for (const row of ROWS) {
    test(`${row}: identical, by us and by GNU tar`, () => {
      for (const [by, all] of found) {
        expect([by, all.filter((line) => line.includes(`${row}/`))]).toEqual([by, []]);
      }
    });
  }

  test("nothing else differs, and the tree has what the rows promise", () => {
    expect([...found.values()]).toEqual([[], []]);
    const attributes = (path: string) => facts.get(path)?.attributes ?? "";
    expect(attributes("./xattrs/file")).toContain("user.plain=0x76616c7565");
    expect(attributes("./xattrs/large").length).toBeGreaterThan(120_000);
    expect(attributes("./xattrs/many").split(" ").length).toBe(100);
    expect(attributes("./acls/file")).toContain("system.posix_acl_access=0x02000000");
    expect(attributes("./acls")).toContain("system.posix_acl_default=0x02000000");
    expect(facts.get("./kinds/longest-link")?.target.length).toBe(4095);
    expect(facts.get("./times/old")?.mtime).toBe("-2145916802.9999999990");
    if (!isRoot) return;
    expect(attributes("./kinds/link")).toBe("trusted.own=0x6b696e64732f6c696e6b");
    expect(attributes("./capabilities/owned")).toBe(`security.capability=0x${CAPABILITIES}`);
    expect(facts.get("./modes/owned/setid")).toMatchObject({ owner: "1234:5678", mode: "6711" });
  });

  test("holes stay holes, also in a file of 5 GiB", async () => {
    const blocks = 'cd "$1"; find . -type f -printf "%P %s %b\\n" | sort';
    for (const name of ["tree/holes", "huge"]) {
      const wanted = await run(blocks, at(name));
      for (const by of ["ours", "tar"]) {
        expect([by, await run(blocks, restored(by, name))]).toEqual([by, wanted]);
      }
    }
    expect(await run(blocks, at("huge"))).toMatch(/^file 5368709120 \d{1,3}\n$/);
    const parts =
      'for at in 0 2684354561 5368709115; do tail -c +$((at + 1)) "$1" | head -c 5; done';
    const written = "data\0data\0data\0";
    for (const by of ["ours", "tar"]) {
      expect(await run(parts, restored(by, "huge/file"))).toBe(written);
    }
  }, TIMEOUT_MS);

  test("a path of 6,000 bytes comes back with its attributes", async () => {
    const wanted = await longPathFacts(at("long"));
    expect(wanted).toContain("user.deep=0x64656570");
    expect(await longPathFacts(restored("ours", "long"))).toBe(wanted);
  });

  test("sockets are named and left out; nothing else is said", async () => {
    const said = made.stderr.split("\n").filter((line) => line !== "");
    expect(said.length).toBe(1);
    expect(said[0]).toContain('"code":"socket"');
    expect(said[0]).toContain(at("sockets", "socket"));
    expect(made.code).toBe(0);
    expect((await run('ls -A "$1"', restored("ours", "sockets"))).trim()).toBe("");
  });

  test("reading leaves the access times of the source alone", () => {
    expect(accessed.size).toBeGreaterThan(4);
    for (const [path, time] of accessed) expect([path, time]).toEqual([path, ACCESSED]);
  });

  test("verify --data finds the media sound", async () => {
    const verified = await bed.json("server", "verify", "--data");
    expect(verified.code).toBe(0);
  }, TIMEOUT_MS);
});

describe("what a restore may not set", () => {
  test("ends incomplete and names each file and kind", async () => {
    if (!isRoot) return; // Without rights nothing can be stored that needs them.
    using place = makeAttributeFolder();
    await using bed = await Bed.make();
    await makeFidelityTree(place.path);
    await bed.start("server");
    await bed.start("client");
    const tree = join(place.path, "tree");
    const made = await bed.job("server", "backup", "filesystem", "--client", "web01", tree);
    await bed.stop("client");
    const wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    await bed.start("client", { wrapper });
    const target = join(place.path, "poor");
    const args = ["restore", made.backup ?? "", "--target", target];
    const { code, stderr, summary } = await bed.json("server", ...args);
    expect(code).toBe(3);
    expect(summary?.status).toBe("incomplete");
    const said = stderr.split("\n").filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line))
      .map(({ code, path }) => `${code} ${String(path).slice(tree.length + 1)}`);
    for (
      const warning of [
        "owner modes/owned/setid",
        "owner kinds/dangling",
        "unwritten kinds/character",
        "capability capabilities/file",
        "capability capabilities/owned",
        "xattr xattrs/file",
        "xattr kinds/fifo",
      ]
    ) expect(said).toContain(warning);
    const there = await readTreeFacts(`${target}${tree}`);
    const source = await readTreeFacts(tree);
    const kept = there.get("./modes/owned/setid");
    expect(kept).toMatchObject({ owner: "0:0", mode: "711" });
    expect(kept?.digest).toBe(source.get("./modes/owned/setid")?.digest ?? "");
    expect(there.get("./acls/file")).toEqual(source.get("./acls/file"));
    // Nor may it leave the access time of another's file alone, but it may read it.
    const other = join(tree, "modes/owned/plain");
    const read = await bed.json("server", "backup", "filesystem", "--client", "web01", other);
    expect([read.code, read.stderr]).toEqual([0, ""]);
  }, TIMEOUT_MS);
});
