// The jobs of a daemon: finds one by a unique prefix, forgets the oldest ended ones.

import { AgentError } from "../../transport/mod.ts";
import type { Job } from "./job.ts";
import { ENDED_JOBS_MAX } from "./limits.ts";

export class JobBoard {
  readonly #jobs = new Map<string, Job>();

  /** @throws AgentError `auth` for an id that is taken */
  add(job: Job): void {
    if (this.has(job.start.id)) {
      throw new AgentError(
        "auth",
        `Cannot start job "${job.start.id}": there is one of that name, need a new one`,
      );
    }
    this.#jobs.set(job.start.id, job);
    for (const { listed, start } of this.#jobs.values()) if (!listed) this.#jobs.delete(start.id);
    const ended = this.all().filter((job) => job.ended);
    for (const old of ended.slice(0, -ENDED_JOBS_MAX)) this.#jobs.delete(old.start.id);
  }

  all(): Job[] {
    return [...this.#jobs.values()].filter((job) => job.listed);
  }

  /** Those that wait or run. */
  unended(): Job[] {
    return this.all().filter((job) => !job.ended);
  }

  has(id: string): boolean {
    return this.#jobs.has(id);
  }

  /** @throws AgentError `not_found` unless exactly one job begins with `prefix` */
  find(prefix: string): Job {
    const exact = this.#jobs.get(prefix);
    if (exact !== undefined) return exact;
    const found = this.all().filter((job) => job.start.id.startsWith(prefix));
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    throw new AgentError(
      "not_found",
      `Cannot find job "${prefix}": ${found.length} jobs begin with it, need one`,
      { hint: "List the jobs with `agent jobs`." },
    );
  }
}
