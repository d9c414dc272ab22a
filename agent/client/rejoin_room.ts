// Which jobs may be continued over other connections, and where those go: a job whose connections
// broke is found by its name, and taken up only with its token, by the host that proved the same
// name, over connections with a higher number than any before. So neither a stranger nor what an
// earlier try left on its way can take a job over.
//
// Pure, but for the handlers.

import {
  AgentError,
  checkSameJob,
  type FileSystemSession,
  type Hello,
} from "../../transport/mod.ts";

interface RunningJob {
  readonly hello: Hello;
  /** What the server proved by its certificate. */
  readonly peerName: string | undefined;
  readonly handler: (session: FileSystemSession) => void;
  /** Number of the connections in use. */
  connection: number;
}

export class RejoinRoom {
  readonly #jobs = new Map<string, RunningJob>();

  /** A job is here: connections that continue it go to `handler`. */
  enter(
    { hello }: FileSystemSession,
    { peerName, handler }: Pick<RunningJob, "peerName" | "handler">,
  ): void {
    this.#jobs.set(hello.job, { hello, peerName, handler, connection: hello.connection });
  }

  /** The job is over. */
  leave(hello: Hello): void {
    this.#jobs.delete(hello.job);
  }

  /** @throws AgentError `auth` unless such a job runs here, with the same words for each reason */
  admit(hello: Hello, peerName: string | undefined): void {
    this.#find(hello, peerName);
  }

  /** Both connections are here. @throws AgentError as `admit`, which came before it */
  bring(session: FileSystemSession, peerName: string | undefined): void {
    const job = this.#find(session.hello, peerName);
    job.connection = session.hello.connection;
    job.handler(session);
  }

  #find(hello: Hello, peerName: string | undefined): RunningJob {
    const job = this.#jobs.get(hello.job);
    if (job !== undefined && isSame(job, hello, peerName)) return job;
    throw new AgentError(
      "auth",
      `Cannot go on with job "${hello.job}": it does not run here, or these are not its ` +
        "connections",
      { hint: "See `agent jobs` on the client, and run the job again." },
    );
  }
}

function isSame(job: RunningJob, hello: Hello, peerName: string | undefined): boolean {
  try {
    checkSameJob(hello, job.hello);
  } catch {
    return false;
  }
  return peerName === job.peerName && hello.connection > job.connection;
}
