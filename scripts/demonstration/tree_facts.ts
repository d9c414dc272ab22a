// An independent look at a directory tree: everything that a restore must bring back, read by
// GNU find, b2sum and getfattr, not by the code that is under test.
//
// The runtimes' own lstat loses nanoseconds and their names are text; these programs know neither
// limit. Names are kept as Latin-1 strings here: one character per byte.

import { needTool, runTool } from "./run_tool.ts";

/** What is known of one object, each value as printed by find. */
export interface ObjectFacts {
  /** find's letter: f, d, l, p, s, c, b. */
  readonly type: string;
  readonly mode: string;
  readonly owner: string;
  /** Seconds and nanoseconds since 1970. */
  readonly mtime: string;
  readonly sizeBytes: number;
  /** Target of a symbolic link, else empty. */
  readonly target: string;
  /** First name (by bytes) of the object's hard-link group; empty when it has one name here. */
  readonly linkedTo: string;
  /** BLAKE2b of a file's content, else empty. */
  readonly digest: string;
  /** Extended attributes, lists of access control and capabilities included: "name=0xhex …". */
  readonly attributes: string;
}

/** Facts by path below the root; the root itself is ".". */
export type TreeFacts = ReadonlyMap<string, ObjectFacts>;

const FIELDS = 9;
const FORMAT = "%p\\0%y\\0%m\\0%U:%G\\0%T@\\0%s\\0%l\\0%n\\0%D:%i\\0";

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

/** Digests of all regular files by path. */
async function readDigests(root: string): Promise<Map<string, string>> {
  const script = "find . -type f -print0 | xargs -0 -r b2sum -z --";
  const output = latin1(await needTool(["sh", "-c", script], { cwd: root }));
  const digests = new Map<string, string>();
  for (const line of output.split("\0")) {
    const space = line.indexOf(" ");
    if (space > 0) digests.set(line.slice(space + 2), line.slice(0, space));
  }
  return digests;
}

/** Attributes by path; empty where getfattr is not installed, which the scripts tell. */
async function readAttributes(root: string): Promise<Map<string, string>> {
  const command = ["getfattr", "-RPhd", "-m", "-", "-e", "hex", "--absolute-names", "."];
  const { code, stdout, stderr } = await runTool(command, { cwd: root });
  const attributes = new Map<string, string>();
  if (code === 127) return attributes;
  if (code !== 0) throw new Error(`getfattr ended with ${code}: ${stderr.trim()}`);
  // One paragraph for each object; line ends and backslashes of names are octal.
  for (const paragraph of latin1(stdout).split("\n\n")) {
    const [head = "", ...lines] = paragraph.split("\n").filter((line) => line !== "");
    const path = head.replace("# file: ", "")
      .replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    attributes.set(path, lines.sort().join(" "));
  }
  return attributes;
}

/** Reads the facts of `root` and everything below it. */
export async function readTreeFacts(root: string): Promise<TreeFacts> {
  const fields = latin1(await needTool(["find", ".", "-printf", FORMAT], { cwd: root })).split(
    "\0",
  );
  const digests = await readDigests(root);
  const attributes = await readAttributes(root);
  // Names inside this tree: an object may have further ones elsewhere, which are not its business.
  const groups = new Map<string, string[]>();
  const facts = new Map<string, ObjectFacts & { readonly group: string }>();
  for (let at = 0; at + FIELDS <= fields.length; at += FIELDS) {
    const [path = "", type = "", mode = "", owner = "", mtime = "", size = "", target = ""] = fields
      .slice(at, at + FIELDS);
    const linked = type !== "d" && fields[at + 7] !== "1";
    const group = linked ? fields[at + 8] ?? "" : "";
    if (linked) groups.set(group, [...groups.get(group) ?? [], path]);
    facts.set(path, {
      type,
      mode,
      owner,
      mtime,
      // A directory's own size belongs to the file system, not to the backup.
      sizeBytes: type === "d" ? 0 : Number(size),
      target,
      linkedTo: "",
      digest: digests.get(path) ?? "",
      attributes: attributes.get(path) ?? "",
      group,
    });
  }
  return new Map([...facts].map(([path, { group, ...rest }]) => {
    const names = groups.get(group) ?? [];
    return [path, { ...rest, linkedTo: names.length < 2 ? "" : names.sort()[0] ?? "" }];
  }));
}
