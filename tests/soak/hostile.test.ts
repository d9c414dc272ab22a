// A thousand hostile connections at once, on the ports of both daemons, while a backup runs: silent
// ones, half handshakes and noise, each made again as soon as it is turned away. A call that nobody
// answers waits as long as the kernel's own calls do, and counts as one of the thousand. They come
// from this process, and so from the same processors as the daemons, and from one address. The
// backup's rate may fall by a fifth. Takes minutes: `scripts/soak hostile` runs it, the gate does
// not.

import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { needTool } from "../../scripts/demonstration/run_tool.ts";
import { Bed } from "../integration/bed.ts";

const CONNECTIONS = 1000;
const ROUNDS = 3;
const SHARE_MIN = 0.8;
/** Milliseconds before a connection is made again: a stranger is no busy loop of ours. */
const AGAIN_MS = 250;
/** Milliseconds after which a backup runs: it is set up in half a second. */
const RUNNING_MS = 1_000;
const WORDS = [new Uint8Array(0), new Uint8Array(7), new Uint8Array(4096).fill(0xff)];

/** Connections to the ports that come again and again until they are stopped: how many did. */
function storm(ports: readonly number[]): () => number {
  const sockets = new Set<Socket>();
  let over = false;
  let answered = 0;
  const attack = (number: number): void => {
    if (over) return;
    const port = ports[number % ports.length] ?? 0;
    const socket = connect(port, "127.0.0.1", () => {
      answered++;
      const word = WORDS[number % WORDS.length] ?? new Uint8Array(0);
      if (word.length > 0) socket.write(word);
    });
    sockets.add(socket);
    socket.on("error", () => {}); // Turned away: that is what it is there for.
    socket.on("close", () => {
      sockets.delete(socket);
      setTimeout(() => attack(number), AGAIN_MS);
    });
    socket.resume();
  };
  for (let number = 0; number < CONNECTIONS; number++) attack(number);
  return () => {
    over = true;
    for (const socket of sockets) socket.destroy();
    return answered;
  };
}

test(`${CONNECTIONS} hostile connections leave a backup its rate`, async () => {
  await using bed = await Bed.make();
  await needTool(["sh", "-c", 'head -c 2147483648 /dev/urandom > "$1"', "sh", bed.path("large")]);
  await Promise.all([bed.start("server"), bed.start("client")]);
  const { server, client } = bed.ports;
  const backUp = async () => {
    const paths = ["--client", "web01", "--full", bed.path("large")];
    const { seconds, status } = await bed.job("server", "backup", "filesystem", ...paths);
    expect(status).toBe("ok");
    return seconds;
  };
  await backUp(); // The first one warms the engines.
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const quiet = await backUp();
    let stop = () => 0;
    const rise = setTimeout(() => stop = storm([server, client, client + 1]), RUNNING_MS);
    let answered = 0;
    const stormy = await backUp().finally(() => {
      clearTimeout(rise);
      answered = stop();
    });
    shares.push(quiet / stormy);
    const share = (quiet / stormy).toFixed(2);
    process.stdout.write(`quiet ${quiet} s, stormy ${stormy} s, ${share}; ${answered} got in\n`);
  }
  const median = shares.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
  expect(median).toBeGreaterThan(SHARE_MIN);
}, 600_000);
