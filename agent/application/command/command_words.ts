// The words of a command with what it is given: the paths of its pipes, or which of the streams is
// its own. Pure.
//
//   {pipe1}, {pipe2}, …   path of the named pipe of that stream; {pipe} is the first
//   {stream}              number of the stream, from 1, of a program that has one of several

export interface Given {
  /** Paths of the pipes, in the order of the streams. */
  readonly pipes?: readonly string[];
  readonly stream?: number;
}

/** Places of what is not given stay as they are. */
export function wordsOf(command: readonly string[], { pipes = [], stream }: Given): string[] {
  return command.map((word) =>
    word.replaceAll(/\{(?:pipe(\d*)|stream)\}/g, (place, number: string | undefined) => {
      if (place === "{stream}") return stream === undefined ? place : String(stream);
      return pipes[Number(number || 1) - 1] ?? place;
    })
  );
}
