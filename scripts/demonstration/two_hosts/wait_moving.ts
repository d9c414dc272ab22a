// Waits until a job is in its middle, by the daemon's control endpoint on a Unix socket.

import { request } from "node:http";
import type { JobView } from "../../../agent/control/daemon.ts";

/** Milliseconds between two questions, and until the demo gives up. */
const PAUSE_MS = 5;
const DEADLINE_MS = 60_000;

function readJobs(socketPath: string): Promise<readonly JobView[]> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path: "/v1/jobs", method: "GET" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => text += part);
      response.on("end", () => resolve(JSON.parse(text)));
    });
    call.on("error", () => resolve([]));
    call.end();
  });
}

/** The running job of a daemon when it has moved `bytes`. @throws Error when there is none */
export async function waitMoving(socketPath: string, bytes: number): Promise<JobView> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const moving = (await readJobs(socketPath)).find((job) =>
      job.state === "running" && (job.progress?.bytes ?? 0) >= bytes
    );
    if (moving !== undefined) return moving;
    if (performance.now() > deadline) throw new Error("no job moved data in time");
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

/** What a job is doing now; null when it is not known any more. */
export async function lookAtJob(socketPath: string, job: string): Promise<JobView | null> {
  return (await readJobs(socketPath)).find((view) => view.job === job) ?? null;
}
