// The metrics of storage transport groups: which hosts are there, how old their heartbeats are,
// what errors their endpoints found and healed, how many endpoints are in use.
//
// Values are what the views show at the scrape. Errors are those of the endpoints' present and
// last uses, so they may go back: gauges, not counters. A host that is gone has no series.

import { Gauge, type Registry } from "prom-client";
import type { StgView } from "./stg_view.ts";

export class StgMetrics {
  readonly #up: Gauge<"stg">;
  readonly #live: Gauge<"stg" | "host">;
  readonly #heartbeatAge: Gauge<"stg" | "host">;
  readonly #errors: Gauge<"stg" | "host" | "kind">;
  readonly #endpoints: Gauge<"stg" | "host" | "state">;
  readonly #waits: Gauge<"stg" | "host">;

  constructor(registry: Registry) {
    const registers = [registry];
    const ofHost = ["stg", "host"] as const;
    this.#up = new Gauge({
      name: "agent_stg_up",
      help: "1 when this daemon is a member of the group",
      labelNames: ["stg"],
      registers,
    });
    this.#live = new Gauge({
      name: "agent_stg_host_live",
      help: "1 when the host beats, 0 when it does not; absent until it was judged",
      labelNames: ofHost,
      registers,
    });
    this.#heartbeatAge = new Gauge({
      name: "agent_stg_heartbeat_age_seconds",
      help: "Time since the host's heartbeat changed, as this daemon saw it",
      labelNames: ofHost,
      registers,
    });
    this.#errors = new Gauge({
      name: "agent_stg_errors",
      help: "Errors that the host's endpoints found, by kind, in their present and last uses",
      labelNames: [...ofHost, "kind"],
      registers,
    });
    this.#endpoints = new Gauge({
      name: "agent_stg_endpoints",
      help: "Endpoints of the host by state: used, quarantined, free",
      labelNames: [...ofHost, "state"],
      registers,
    });
    this.#waits = new Gauge({
      name: "agent_stg_ring_waits",
      help: "How often senders of the host's open connections waited because the ring was full",
      labelNames: ofHost,
      registers,
    });
  }

  observe(stgs: readonly StgView[]): void {
    for (const gauge of [this.#live, this.#heartbeatAge, this.#errors, this.#endpoints]) {
      gauge.reset();
    }
    this.#waits.reset();
    for (const { name: stg, state, hosts, connections } of stgs) {
      for (const { host, creditWaits } of connections) {
        this.#waits.inc({ stg, host: String(host) }, creditWaits);
      }
      this.#up.set({ stg }, state === "up" ? 1 : 0);
      for (const view of hosts.filter(({ attached }) => attached)) {
        const host = String(view.host);
        const { total, used, quarantined } = view.endpoints;
        if (view.live !== null) this.#live.set({ stg, host }, view.live ? 1 : 0);
        if (view.heartbeatAgeMs !== null) {
          this.#heartbeatAge.set({ stg, host }, view.heartbeatAgeMs / 1000);
        }
        for (const [kind, count] of Object.entries(view.errors)) {
          this.#errors.set({ stg, host, kind }, count);
        }
        this.#endpoints.set({ stg, host, state: "used" }, used);
        this.#endpoints.set({ stg, host, state: "quarantined" }, quarantined);
        this.#endpoints.set({ stg, host, state: "free" }, total - used - quarantined);
      }
    }
  }
}
