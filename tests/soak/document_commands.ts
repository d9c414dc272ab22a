// The commands of a document that say where they run: "command   # on vault01, once". Pure.

export interface DocumentCommand {
  /** "vault01", "web01", "both hosts", "a machine that is safe": up to a comma, colon or semicolon. */
  readonly where: string;
  readonly command: string;
}

/** The commands of one chapter, in order. @throws Error when the chapter has none */
export function commandsOf(document: string, chapter: string): readonly DocumentCommand[] {
  const text = document.split(/^## /m).find((part) => part.startsWith(`${chapter}\n`)) ?? "";
  const commands = [...text.matchAll(/^ {4}(\S.*?) +# on ([^,:;\n]+)/gm)].map(
    ([, command = "", where = ""]) => ({ where, command }),
  );
  if (commands.length === 0) throw new Error(`no command says where in the chapter "${chapter}"`);
  return commands;
}
