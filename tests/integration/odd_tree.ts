// A tree of everything that a backup of files must bring back, made by a shell: the runtimes' own
// calls know neither names that are not UTF-8 nor nanoseconds. And the comparison of two trees by
// programs that know nothing of ours: rsync, and GNU find with b2sum and getfattr.

import { compareTrees } from "../../scripts/demonstration/compare_trees.ts";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { readTreeFacts } from "../../scripts/demonstration/tree_facts.ts";

const NAMES = `
mkdir -p names deep
: > empty
printf 'one line\\n' > 'names/with space'
printf x > "names/quote's \\"double\\" \\\\ back"
printf x > names/-rf
printf x > 'names/*?[glob]{a,b}'
printf x > "names/$(printf 'new\\nline\\ttab')"
printf x > "names/$(printf 'caf\\351-\\377\\376')"
printf x > "names/$(printf '\\303\\251t\\303\\251 \\346\\274\\242')"
printf x > "names/$(head -c 255 /dev/zero | tr '\\0' n)"
d=deep; for i in 1 2 3 4 5 6; do d="$d/$(printf %060d $i)"; done; mkdir -p "$d"; printf x > "$d/leaf"
mkdir -p "names/$(printf 'dir-\\200')/inner" 'names/empty dir'
printf x > "names/$(printf 'dir-\\200')/inner/$(printf '\\200')"
`;

const LINKS = `
mkdir links other
printf 'linked data' > links/first
ln links/first links/second
ln links/first other/third
ln links/first "other/$(printf 'fourth-\\351')"
ln -s first links/relative
ln -s /nowhere/at/all links/dangling
ln -s .. links/up
ln -s "$(head -c 300 /dev/zero | tr '\\0' t)" links/long
ln -s "$(printf 'caf\\351')" "links/$(printf 'to-\\351')"
ln links/relative other/same-symlink
`;

const CONTENT = `
truncate -s 8M sparse-empty
truncate -s 3M sparse; printf middle | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
truncate -s 6M sparse
head -c 70000 /dev/urandom > odd-size
head -c 9000001 /dev/urandom > frames
yes 'compresses well' | head -c 5000000 > text
i=0; while [ $i -lt 300 ]; do printf %s $i > names/n$i; i=$((i+1)); done
`;

const ATTRIBUTES = `
chmod 0400 empty; chmod 0755 text; chmod 6755 odd-size; chmod 0000 names/n1; chmod 1777 'names/empty dir'
chmod 2750 deep; chmod 0500 links
touch -d '2001-02-03 04:05:06.123456789 UTC' names/n1 frames
touch -d '1969-12-31 23:59:58.999999999 UTC' names/n2
touch -d '2242-03-16 12:56:31.000000001 UTC' names/n3
touch -h -d '1999-12-31 23:59:59.987654321 UTC' links/relative
touch -d '2010-10-10 10:10:10.101010101 UTC' links other 'names/empty dir' .
if [ "$(id -u)" = 0 ]; then
  chown 1234:5678 names/n4; chown 3000000:4000000000 names/n5; chown -h 77:88 links/dangling
  chmod 4711 names/n4; touch -d '2010-10-10 10:10:10.5 UTC' links
fi
`;

/** As root: what file systems under temporary folders take; tests of fidelity.test.ts have all. */
const XATTRS = `
if [ "$(id -u)" = 0 ]; then
  setfattr -n trusted.note -v 'of a file' empty; setfattr -n trusted.note -v 0x00ff0a3d links
  setfattr -h -n trusted.note -v 'of a link' links/dangling
  setfattr -n security.capability -v 0x0100000200240000000000000000000000000000 text
fi
`;

/** Makes the tree in `directory`, which must not be there yet. */
export async function makeOddTree(directory: string): Promise<void> {
  const all = `${NAMES}${LINKS}${CONTENT}${XATTRS}${ATTRIBUTES}`;
  await needTool(["sh", "-c", `set -e; mkdir -p "$1"; cd "$1"; ${all}`, "sh", directory]);
}

/** Makes `count` files of `bytes` incompressible bytes each. */
export async function makeRandomFiles(
  directory: string,
  { count, bytes }: { readonly count: number; readonly bytes: number },
): Promise<void> {
  const script = 'set -e; mkdir -p "$1"; cd "$1"; i=0; while [ $i -lt "$2" ]; do ' +
    'head -c "$3" /dev/urandom > "r$i"; i=$((i+1)); done';
  await needTool(["sh", "-c", script, "sh", directory, String(count), String(bytes)]);
}

/** Every difference between two trees, seen by these programs; nothing when they are identical. */
export async function differences(original: string, restored: string): Promise<string[]> {
  const rsync = ["rsync", "-aHAXn", "--checksum", "--delete", "--itemize-changes"];
  const output = await needTool([...rsync, `${original}/`, `${restored}/`]);
  const lines = new TextDecoder("latin1").decode(output).split("\n").filter((line) => line !== "");
  return [...lines, ...compareTrees(await readTreeFacts(original), await readTreeFacts(restored))];
}
