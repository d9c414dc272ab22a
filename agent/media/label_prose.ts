// The words of a label (label.ts): how to restore the backup with stock tools. Pure.
//
// Encrypted media are walked over frame by frame: each says its kind and length, and GNU `head -c`
// takes no byte more than it is told. `unseal` prints a plain file as it is, since an incremental
// backup may build on one from before encryption was switched on.

import type { MediaLabel } from "./label.ts";

const OPTIONS = "--xattrs --xattrs-include='*' --acls --numeric-owner -xpf -";
/** Takes deletions into account, which stand in directories. */
const REPLAY = "--listed-incremental=/dev/null";

const UNSEAL = `set -o pipefail; KEY=identity.txt
    unseal() {
      f=$1
      while set -- $(head -c 8 | od -An -tu4) && [ "\${2-}" ]; do
        case $1 in
          407710291) head -c $2 | age -d -i "$KEY" || return ;;
          407710*) head -c $2 >/dev/null ;;
          *) cat "$f"; return ;;
        esac
      done <"$f"
    }`;

/** How the commands of one backup get at its tar, and what else differs. */
interface Words {
  /** Prints the zstd frames of a file. */
  readonly read: (file: string) => string;
  /** Proves the frames of a file. */
  readonly check: (file: string) => string;
  /** Before "backup", and the tools that restore it. */
  readonly kind: string;
  readonly tools: string;
  /** What comes before the commands. */
  readonly first: string;
}

const PLAIN: Words = {
  read: (file) => `zstd -dc ${file}`,
  check: (file) => `zstd -t ${file}`,
  kind: "",
  tools: "zstd and GNU tar",
  first: "",
};

const ENCRYPTED: Words = {
  read: (file) => `unseal ${file} | zstd -dc`,
  check: (file) => `unseal ${file} | zstd -t`,
  kind: "encrypted ",
  tools: "age, zstd and GNU tar",
  first: `
  Each frame is encrypted by age (age-encryption.org) for the recipients that the client had. With
  the identity (secret key) of one of them in identity.txt, say first, in bash:
    ${UNSEAL}
`,
};

/** @param listed backups that an incremental one builds on, oldest first: all or the main ones */
export function labelProse(label: MediaLabel, listed: readonly string[]): string {
  const words = label.encryption === null ? PLAIN : ENCRYPTED;
  return label.level === "full" ? fullProse(words, label) : incrementalProse(words, label, listed);
}

function fullProse({ read, check, kind, tools, first }: Words, label: MediaLabel): string {
  const file = `${label.backup}.tar.zst`;
  // What it holds may be gone by its end, as in a chain of backups.
  const unpackAll = label.continued ? `tar ${REPLAY} ${OPTIONS}` : `tar ${OPTIONS}`;
  const name = kind === "" ? "a backup" : `an ${kind}backup`;
  return `This is ${name}: a POSIX pax tar archive in zstd frames. ${tools} restore it.
${first}${label.kind === "command" ? commandProse(read(file)) : ""}
  Restore everything below the current directory (as root):
    ${read(file)} | ${unpackAll}
  Restore one file or directory (its path without the leading "/"):
    ${read(file)} | tar ${OPTIONS} PATH
${listLine(label, read(file))}  Check it:   ${check(file)}
`;
}

/** The parts of a command's output, put end to end. */
function commandProse(stream: string): string {
  return `
  Give the program that restores it what the other one wrote:
    ${stream} | tar -xOf - | PROGRAM
`;
}

function incrementalProse(words: Words, label: MediaLabel, listed: readonly string[]): string {
  const { read, check, kind, tools, first } = words;
  const file = `${label.backup}.tar.zst`;
  const missing = label.needs.length - listed.length;
  const gap = missing === 0 ? "" : `
  The list leaves out ${missing} backups after the first; the label of the second one names them.
`;
  const name = `an ${kind}incremental backup`;
  return `This is ${name}: a POSIX pax tar archive in zstd frames with what changed
since the backup before it, deletions included. ${tools} restore it after the full backup
and every incremental one in between, which are the lines "needs" below, oldest first.
${first}
  Restore everything below the current directory, which is empty at first (as root):
    for b in ${[...listed, label.backup].join(" ")}; do
      ${read("$b.tar.zst")} | tar ${REPLAY} --xattrs --xattrs-include='*' \\
        --acls --numeric-owner -xpf - || break
    done
${gap}${listLine(label, read(file))}  Check it:   ${check(file)}
`;
}

/** A continued file's label has the length of the first one: its facts take the room of this. */
function listLine({ continued }: MediaLabel, reading: string): string {
  return continued ? "" : `  List it:    ${reading} | tar -tvf -\n`;
}
