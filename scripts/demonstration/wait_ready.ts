// Waits until a daemon says that it is ready, by its control endpoint on a Unix socket.

import { askSocket } from "./ask_socket.ts";

/** Milliseconds between two questions, and until the demo gives up. */
const PAUSE_MS = 50;
const DEADLINE_MS = 60_000;

/**
 * Resolves when `GET /readyz` answers 200.
 * @param check called before each question; throws when waiting makes no sense any more
 */
export async function waitReady(socketPath: string, check: () => void): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    check();
    if ((await askSocket(socketPath, "/readyz")).status === 200) return;
    if (performance.now() > deadline) throw new Error(`${socketPath} is not ready in time`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
