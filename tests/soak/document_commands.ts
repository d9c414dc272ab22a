// The commands of a document that say where they run: "command   # on vault01, once". Pure.

/** Where: up to a comma, colon or semicolon. */
export const PLACES = ["vault01", "web01", "both hosts", "a machine that is safe"] as const;
export type Place = typeof PLACES[number];

export interface DocumentCommand {
  readonly where: Place;
  readonly command: string;
}

/**
 * The commands of one chapter, in order.
 * @throws Error when the chapter has none, or one is to run where nobody knows
 */
export function commandsOf(document: string, chapter: string): readonly DocumentCommand[] {
  const text = document.split(/^## /m).find((part) => part.startsWith(`${chapter}\n`)) ?? "";
  const found = [...text.matchAll(/^ {4}(\S.*?) +# on ([^,:;\n]+)/gm)];
  if (found.length === 0) throw new Error(`no command says where in the chapter "${chapter}"`);
  return found.map(([, command = "", name = ""]) => {
    const where = PLACES.find((place) => place === name);
    if (where === undefined) throw new Error(`"${command}" is to run on "${name}": where is that?`);
    return { where, command };
  });
}
