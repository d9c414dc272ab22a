// The composition root: turns a configuration into started parts, on the main thread and on every
// job's worker. Only here do the emulator and the transport meet, and only here do the parts of
// the runtime get their users.

import { type ArrayParts, attachArray, type AttachedArray } from "../emulator/mod.ts";
import {
  AgentError,
  assert,
  type Conn,
  type ErrorRecord,
  fromErrorRecord,
  GroupMechanism,
  type Mechanism,
  openRawVolumes,
  proveMedium,
  type Runtime,
  StpMechanism,
  type Volume,
} from "../transport/mod.ts";
import {
  type FromWorker,
  type NetworkPart,
  type Prove,
  type StgAccess,
  type VolumeSource,
  WorkerSession,
  type WorkerTask,
} from "./job/mod.ts";
import { networkMechanism, networkPartOfJob } from "./compose_network.ts";
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
): OpenVolumes | Promise<OpenVolumes> {
  return source.kind === "raw" ? openRaw(runtime, source) : openArray(runtime, source, hostName);
}

async function openRaw(
  runtime: Runtime,
  { paths, timeoutMs }: VolumeSource & { readonly kind: "raw" },
): Promise<OpenVolumes> {
  const volumes = await openRawVolumes(paths, { ...runtime, timeoutMs });
  return {
    volumes,
    serve: () => Promise.resolve(), // A disk serves itself.
    close: async () => {
      for (const volume of volumes) volume.close();
      await volumes[0]?.ended;
    },
  };
}

function openArray(
  runtime: Runtime,
  source: VolumeSource & { readonly kind: "array" },
  hostName: string,
): OpenVolumes {
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
      array: () => array.status(),
      arrayMap: () => array.map(),
      close: () => Promise.all(serving).then(() => {}).finally(() => detach(array)),
    };
  } catch (error) {
    detach(array);
    throw error;
  }
}

/** What the last one out cannot destage stays in the array's memory, pending: nothing is lost. */
function detach(array: AttachedArray): void {
  try {
    array.close();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
  }
}

/** The parts of one job on its worker thread. */
export interface JobParts {
  readonly session: WorkerSession;
  readonly prove: Prove;
  /** This host lost the group: the job must not use it any more. */
  readonly lose: (stg: string, error: ErrorRecord) => void;
  /** Gives up the volumes; resolves when nothing is in flight on them. */
  readonly close: () => Promise<void>;
}

export interface ComposeJobOptions {
  readonly network: NetworkPart;
  readonly task: WorkerTask;
  readonly post: (message: FromWorker) => void;
}

/** Composes a job: its layer opens a group's volumes when the flow first names the group. */
export function composeJob(runtime: Runtime, options: ComposeJobOptions): JobParts {
  const { network, task, post } = options;
  const groups = new JobGroups(runtime, task);
  const session = new WorkerSession({
    runtime,
    task,
    network: networkMechanism(runtime, networkPartOfJob(network, task), (error) => {
      const { code, message } = error;
      const { job } = task.identity;
      post({ type: "report", body: { type: "warning", job, code, message, path: null } });
    }),
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
  readonly #open = new Map<string, Promise<Mechanism>>();
  readonly #opened: OpenVolumes[] = [];
  readonly #lost = new Map<string, AgentError>();
  #closed = false;

  constructor(runtime: Runtime, task: WorkerTask) {
    this.#runtime = runtime;
    this.#hostName = task.identity.name;
    this.#lent = new Map(lentGroups(task));
  }

  open(name: string): Promise<Mechanism> {
    const lost = this.#lost.get(name);
    if (lost !== undefined) return Promise.reject(lost);
    const known = this.#open.get(name);
    if (known !== undefined) return known;
    const opening = this.#openNew(name);
    this.#open.set(name, opening);
    // A device that comes back may be tried again.
    opening.catch(() => this.#open.delete(name));
    return opening;
  }

  async #openNew(name: string): Promise<Mechanism> {
    const access = this.#lent.get(name);
    assert(access !== undefined && "part" in access, `group ${name} was lent to this job`);
    const { part } = access;
    const opened = await openVolumes(this.#runtime, part.source, this.#hostName);
    const lost = this.#lost.get(name);
    if (this.#closed || lost !== undefined) {
      await opened.close();
      throw lost ?? new AgentError("closed", `Cannot use group "${name}": the job has ended`);
    }
    this.#opened.push(opened);
    const { clock, random } = this.#runtime;
    const { volumes } = opened;
    return new StpMechanism({ ...part, volumes, clock, random });
  }

  /** Opens the group no more. @returns true when the job uses it already */
  lose(name: string, error: AgentError): boolean {
    this.#lost.set(name, error);
    return this.#open.has(name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#opened.map((opened) => opened.close()));
  }
}

function lentGroups(task: WorkerTask): [string, StgAccess][] {
  if ("stgs" in task) return Object.entries(task.stgs);
  if (!("stg" in task)) return []; // It needs the vault alone.
  return "part" in task.stg ? [[task.stg.part.name, task.stg]] : [];
}
