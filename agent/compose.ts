// The composition root: turns a configuration into started parts, on the main thread and on every
// job's worker. Only here do the emulator and the transport meet, and only here do the parts of
// the runtime get their users.

import { type ArrayParts, attachArray } from "../emulator/mod.ts";
import {
  AgentError,
  assert,
  type Conn,
  type ErrorRecord,
  fromErrorRecord,
  GroupMechanism,
  type Mechanism,
  proveMedium,
  type Runtime,
  StpMechanism,
  TcpMechanism,
  type Volume,
} from "../transport/mod.ts";
import {
  type FromWorker,
  type Prove,
  type StgAccess,
  type VolumeSource,
  WorkerSession,
  type WorkerTask,
} from "./job/mod.ts";
import type { OpenVolumes } from "./stg/mod.ts";

/** What the array needs of the runtime. */
export function arrayParts(runtime: Runtime): ArrayParts {
  const { files, memories, clock, random } = runtime;
  return { files, memories, clock, random };
}

/** Opens the volumes of a group on this thread. @throws AgentError when one cannot be opened */
export function openVolumes(
  runtime: Runtime,
  source: VolumeSource,
  hostName: string,
): OpenVolumes {
  if (source.kind === "raw") {
    throw new AgentError(
      "unsupported",
      `Cannot open volume "${source.paths[0] ?? ""}": this version uses emulated arrays only`,
      { hint: "Give the group an `array:` made by `agent array create`." },
    );
  }
  const array = attachArray(source.directory, { hostName }, arrayParts(runtime));
  try {
    const volumes: Volume[] = source.names.map((name) => array.volume(name));
    const serving: Promise<void>[] = [];
    return {
      volumes,
      serve: (signal) => {
        const served = array.runDiskDirector({ signal });
        serving.push(served);
        return served;
      },
      close: () => void Promise.all(serving).finally(() => array.close()),
    };
  } catch (error) {
    array.close();
    throw error;
  }
}

/** The parts of one job on its worker thread. */
export interface JobParts {
  readonly session: WorkerSession;
  readonly prove: Prove;
  /** This host lost the group: the job must not use it any more. */
  readonly lose: (stg: string, error: ErrorRecord) => void;
  /** Gives up the volumes. */
  readonly close: () => void;
}

/** Composes a job: its layer opens a group's volumes when the flow first names the group. */
export function composeJob(
  runtime: Runtime,
  task: WorkerTask,
  post: (message: FromWorker) => void,
): JobParts {
  const groups = new JobGroups(runtime, task);
  const session = new WorkerSession({
    runtime,
    task,
    network: new TcpMechanism(runtime.network),
    storage: new GroupMechanism((stg) => groups.open(stg)),
    post,
  });
  const prove = (conn: Conn) => proveMedium(conn, { signal: session.signal });
  return {
    session,
    prove,
    lose: (stg, record) => {
      const error = fromErrorRecord(record);
      if (groups.lose(stg, error)) session.loseStorage(error);
    },
    close: () => groups.close(),
  };
}

/** The groups that a job was lent, opened when they are first named. */
class JobGroups {
  readonly #runtime: Runtime;
  readonly #hostName: string;
  readonly #lent: ReadonlyMap<string, StgAccess>;
  readonly #open = new Map<string, Mechanism>();
  readonly #opened: OpenVolumes[] = [];
  readonly #lost = new Map<string, AgentError>();

  constructor(runtime: Runtime, task: WorkerTask) {
    this.#runtime = runtime;
    this.#hostName = task.identity.name;
    this.#lent = new Map(lentGroups(task));
  }

  open(name: string): Promise<Mechanism> {
    const lost = this.#lost.get(name);
    if (lost !== undefined) return Promise.reject(lost);
    const known = this.#open.get(name);
    if (known !== undefined) return Promise.resolve(known);
    const access = this.#lent.get(name);
    assert(access !== undefined && "part" in access, `group ${name} was lent to this job`);
    const { part } = access;
    const opened = openVolumes(this.#runtime, part.source, this.#hostName);
    this.#opened.push(opened);
    const { clock, random } = this.#runtime;
    const { volumes } = opened;
    const mechanism = new StpMechanism({ ...part, volumes, clock, random });
    this.#open.set(name, mechanism);
    return Promise.resolve(mechanism);
  }

  /** Opens the group no more. @returns true when the job uses it already */
  lose(name: string, error: AgentError): boolean {
    this.#lost.set(name, error);
    return this.#open.has(name);
  }

  close(): void {
    for (const opened of this.#opened) opened.close();
  }
}

function lentGroups(task: WorkerTask): [string, StgAccess][] {
  if (task.kind === "server-verify") return [];
  if (task.kind === "client-filesystem" || task.kind === "client-database") {
    return Object.entries(task.stgs);
  }
  return "part" in task.stg ? [[task.stg.part.name, task.stg]] : [];
}
