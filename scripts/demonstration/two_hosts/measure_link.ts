// Measures one TCP stream from client to server over the LAN.

import { spawn } from "node:child_process";
import { needTool } from "../run_tool.ts";
import type { HostPair } from "./host_pair.ts";

/** Nobody else is in the namespaces, so that the port is free. */
const PORT = "7999";

const SCRIPT = new URL("./link_stream.ts", import.meta.url).pathname;
const RUN = [process.execPath, "run", "-A", "--quiet", "--no-check", SCRIPT];

/** Bytes per second over `seconds`. */
export async function measureLink(pair: HostPair, seconds: number): Promise<number> {
  const address = pair.address("server");
  const [command = "", ...args] = [...pair.enter("server"), ...RUN, "receive", address, PORT];
  const receiver = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let text = "";
    const printed = (pattern: RegExp): Promise<string> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(text)?.[1];
          if (found !== undefined) resolve(found);
        };
        receiver.stdout.setEncoding("utf8").on("data", (part: string) => {
          text += part;
          look();
        });
        receiver.on("close", () => reject(new Error("the receiver of the TCP stream ended")));
        look();
      });
    await printed(/(listening)/);
    const result = printed(/(\d+)\n/);
    await needTool([...pair.enter("client"), ...RUN, "send", address, PORT, String(seconds)]);
    return Number(await result);
  } finally {
    receiver.kill("SIGKILL");
  }
}
