// Checks that the commands of a database name what they are given (application/command): the named
// pipe of each stream, or the number of the stream. Pure.

import type { z } from "zod";
import { refuse } from "./issue_text.ts";

interface CommandFields {
  readonly backup: readonly string[];
  readonly restore: readonly string[];
  readonly streams: number;
  readonly through: "stdio" | "pipes";
  readonly pipe_owner?: string | undefined;
  readonly open_within?: number | undefined;
}

export function checkStreams(fields: CommandFields, context: z.RefinementCtx): void {
  const { streams, through } = fields;
  if (through === "stdio") {
    for (const key of ["pipe_owner", "open_within"] as const) {
      if (fields[key] === undefined) continue;
      const hint = `Say \`through: pipes\`, or leave ${key} out.`;
      refuse(context, `found ${key}, need through: pipes with it`, hint);
    }
  }
  for (const key of ["backup", "restore"] as const) {
    const missing = placesOf({ streams, through })
      .find((places) => !fields[key].some((word) => places.some((place) => word.includes(place))));
    if (missing === undefined) continue;
    refuse(
      context,
      `found no ${missing[0]} in ${key}, need it in one of its words`,
      through === "pipes"
        ? "Put {pipe1}, {pipe2}, … where the program shall find the paths of its pipes."
        : "Put {stream} where each of the programs shall find which stream is its own.",
    );
  }
}

/** What a command must contain, each in one of these forms. */
function placesOf(
  { streams, through }: Pick<CommandFields, "streams" | "through">,
): readonly (readonly string[])[] {
  if (through === "stdio") return streams === 1 ? [] : [["{stream}"]];
  const further = Array.from({ length: streams - 1 }, (_, index) => [`{pipe${index + 2}}`]);
  return [["{pipe1}", "{pipe}"], ...further];
}
