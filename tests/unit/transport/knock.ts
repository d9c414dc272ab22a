// Calls a TCP port as strangers do, from an address of this host.

import { connect } from "node:net";

/** Milliseconds: who is let in gets his answer in one, who is not calls again after a second. */
const SILENCE_MS = 500;

/** @returns whether somebody answered */
export function knock(from: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: from });
    // Aborted at once, before we learn of the connection: an answer, too.
    socket.on("error", () => resolve(true));
    socket.once("connect", () => {
      resolve(true);
      socket.destroy();
    });
    socket.setTimeout(SILENCE_MS, () => {
      resolve(false);
      socket.destroy();
    });
  });
}

/** @returns how many calls in a row were answered, at most `max` */
export async function knockUntilSilent(from: string, port: number, max: number): Promise<number> {
  let answered = 0;
  while (answered < max && await knock(from, port)) answered++;
  return answered;
}
