// Faults on demand: the one question that the directors ask before they move data.
//
// Without a plan nothing is asked. A plan is a value of this process, for tests and trials.

import { AgentError } from "../transport/ground/error.ts";
import type { DeviceGeometry } from "./geometry.ts";

/** What is about to happen, at the front (read, write) or at the back (stage, destage). */
export interface FaultRequest {
  readonly device: string;
  readonly operation: "read" | "write" | "stage" | "destage";
  readonly offsetBytes: number;
  readonly bytes: number;
}

export type Fault = "none" | "io-error" | "lost-volume";

export interface FaultPlan {
  decide(request: FaultRequest): Fault;
}

/**
 * Asks the plan, if there is one, and fails the request when it says so.
 * @throws AgentError `volume`
 */
export function askFaultPlan(
  plan: FaultPlan | undefined,
  device: DeviceGeometry,
  request: Omit<FaultRequest, "device">,
): void {
  if (plan === undefined) return;
  const fault = plan.decide({ device: device.name, ...request });
  if (fault === "none") return;
  const found = fault === "lost-volume" ? "the volume is gone" : "I/O error";
  throw new AgentError(
    "volume",
    `Cannot ${request.operation} volume "${device.name}" at ${request.offsetBytes}: ` +
      `${found} (injected), need a working device`,
    { hint: "Remove the fault plan." },
  );
}
