// Scripts that complete command lines in a shell, made from the table of commands. Pure.
//
// All three do the same: words of a command until one is whole, then its options; after an option
// with a value its choices or files. Nothing is run while a person types, the agent neither.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { HELP_OPTION } from "./parse_args.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = typeof SHELLS[number];

/** @param root the program without a command */
export function completionScript(
  shell: Shell,
  root: CommandSpec,
  commands: readonly CommandSpec[],
): string {
  if (shell === "fish") return fishScript(root, commands);
  return shell === "bash" ? bashScript(root, commands) : zshScript(root, commands);
}

function optionsOf(spec: CommandSpec): readonly OptionSpec[] {
  return [...spec.options, HELP_OPTION].filter(({ hidden }) => hidden !== true);
}

/** Words that may stand first, and after each of them, in the order of the help. */
function wordsAfter(commands: readonly CommandSpec[]): ReadonlyMap<string, readonly string[]> {
  const after = new Map<string, string[]>([["", []]]);
  for (const { name } of commands) {
    const [first = "", second] = name.split(" ");
    const firsts = after.get("") ?? [];
    if (!firsts.includes(first)) firsts.push(first);
    if (second !== undefined) after.set(first, [...after.get(first) ?? [], second]);
  }
  return after;
}

/** `case` of both shells: what may follow the command that was typed. */
function caseLines(root: CommandSpec, commands: readonly CommandSpec[]): string {
  const words = wordsAfter(commands);
  const lines = [...words].map(([first, next]) => {
    const options = first === "" ? optionsOf(root).map(({ name }) => `--${name}`) : [];
    return `    '${first}') offer='${[...next, ...options].join(" ")}' ;;`;
  });
  for (const command of commands) {
    const options = optionsOf(command).map(({ name }) => `--${name}`).join(" ");
    const more = words.get(command.name)?.join(" ");
    // A word that is a command of its own and the first of others ("array fault" is not).
    if (more !== undefined) continue;
    lines.push(`    '${command.name}') offer='${options}' ;;`);
  }
  return lines.join("\n");
}

/** `case` of both shells: the choices after an option. */
function choiceLines(root: CommandSpec, commands: readonly CommandSpec[]): string {
  const lines = new Set<string>();
  const flags = new Set<string>();
  for (const spec of [root, ...commands]) {
    for (const { name, value, choices } of optionsOf(spec)) {
      const of = spec.name === "" ? "" : spec.name;
      if (choices !== undefined) {
        lines.add(`    '${of} --${name}') offer='${choices.join(" ")}' ;;`);
      }
      if (value === null) flags.add(`--${name}`);
    }
  }
  // A flag is followed by whatever follows the command.
  return [...lines, `    *' '${[...flags].join("|*' '")}) ;;`, "    *' '--*) files=1 ;;"].join(
    "\n",
  );
}

function bashScript(root: CommandSpec, commands: readonly CommandSpec[]): string {
  return `# bash completion of agent; see: agent completion --help
_agent() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}"
  local command='' word offer='' files=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) break ;; esac
    case "$command" in *' '*) break ;; esac
    command="\${command:+$command }$word"
    case "$command" in ${singleWords(commands)}) break ;; esac
  done
  case "$command $before" in
${choiceLines(root, commands)}
  esac
  [ -n "$offer$files" ] || case "$command" in
${caseLines(root, commands)}
  esac
  COMPREPLY=()
  [ -n "$files" ] || mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$current")
  [ \${#COMPREPLY[@]} -gt 0 ] || compopt -o default
}
complete -F _agent agent
`;
}

function zshScript(root: CommandSpec, commands: readonly CommandSpec[]): string {
  return `#compdef agent
# zsh completion of agent; see: agent completion --help
_agent() {
  local before="\${words[CURRENT - 1]}" command='' word files=''
  local -a typed=("\${words[@]:1:$((CURRENT - 2))}")
  for word in "\${typed[@]}"; do
    case "$word" in -*) break ;; esac
    case "$command" in *' '*) break ;; esac
    command="\${command:+$command }$word"
    case "$command" in ${singleWords(commands)}) break ;; esac
  done
  local offer=''
  case "$command $before" in
${choiceLines(root, commands)}
  esac
  [ -n "$offer$files" ] || case "$command" in
${caseLines(root, commands)}
  esac
  [ -n "$files" ] || compadd -- \${=offer}
  _files
}
if [ "$funcstack[1]" = _agent ]; then _agent; else compdef _agent agent; fi
`;
}

/** Commands of one word, which nothing of the table follows. */
function singleWords(commands: readonly CommandSpec[]): string {
  const names = commands.map(({ name }) => name);
  const single = names.filter((name) =>
    !name.includes(" ") && !names.some((other) => other.startsWith(`${name} `))
  );
  return single.join("|");
}

function fishScript(root: CommandSpec, commands: readonly CommandSpec[]): string {
  const words = wordsAfter(commands);
  const lines = [
    "# fish completion of agent; see: agent completion --help",
    "function __agent_command",
    "  set -l found",
    "  for word in (commandline -opc)[2..]",
    "    string match -q -- '-*' $word; and break",
    "    set -a found $word",
    "  end",
    // One line, also where nothing was typed: `test` needs its word.
    '  echo "$found"',
    "end",
    "function __agent_begins",
    '  string match -q -- "$argv" (__agent_command); or ' +
    'string match -q -- "$argv *" (__agent_command)',
    "end",
  ];
  for (const [first, next] of words) {
    for (const word of next) {
      const summary = commands.find(({ name }) => name === `${first} ${word}`.trim())?.summary;
      const text = summary === undefined ? "" : ` -d ${quoted(summary)}`;
      lines.push(`complete -c agent -f -n 'test (__agent_command) = "${first}"' -a ${word}${text}`);
    }
  }
  for (const spec of [root, ...commands]) {
    const where = spec.name === ""
      ? `'test -z (__agent_command)'`
      : `'__agent_begins ${spec.name}'`;
    for (const { name, value, help, choices } of optionsOf(spec)) {
      const takes = value === null
        ? ""
        : choices === undefined
        ? " -r"
        : ` -xa '${choices.join(" ")}'`;
      lines.push(`complete -c agent -n ${where} -l ${name}${takes} -d ${quoted(help)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
