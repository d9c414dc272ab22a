// What a step of the gate left on the machine: memory of emulated arrays outlives the processes
// that used it, so a test that forgets to remove its array fills the machine's memory; a loop
// device lives as long as anybody has it open, so one that is left tells of a process that is.
//
// Invariants:
//  1. Only what the step made counts, whatever else runs on the machine: its arrays have a
//     /dev/shm that nobody else sees, its loop devices bear its mark in the name of their file.
//  2. Where a step cannot have a /dev/shm of its own, all that was added to the machine's counts:
//     rather too much than nothing.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const MEMORY_FOLDER = "/dev/shm";
const ARRAY_MEMORY = /^agent-array-/;

/** Loop devices that stand in for a shared LUN: their file is memory with this name. */
const LOOP_DEVICE = /^loop\d+$/;
const LUN_NAME = "memfd:agent-lun";

/** The variable whose value such a file bears in its name. */
export const MARK_VARIABLE = "LUN_MARK";

/** Milliseconds in which the kernel detaches the devices of processes that were killed. */
const DETACH_MS = 2_000;
const LOOK_MS = 50;

/**
 * Runs what follows with an empty /dev/shm, lists what is in it at the end, and ends as it did.
 * The list goes to the file that is named first.
 */
const OWN_MEMORY = [
  ...["unshare", "--mount", "sh", "-c"],
  `list="$1" && shift && mount -t tmpfs tmpfs ${MEMORY_FOLDER} || exit 126
  "$@"; code=$?
  ls ${MEMORY_FOLDER} >"$list"; exit $code`,
  "sh",
];

/** Can a step have a /dev/shm of its own? It takes root, in a container that may mount. */
export const canOwnMemory = ((): boolean => {
  const [program = "", ...args] = [...OWN_MEMORY, "/dev/null", "true"];
  return existsSync(MEMORY_FOLDER) && spawnSync(program, args, { stdio: "ignore" }).status === 0;
})();

/** The looks of one step at what it leaves. */
export class LeftoverWatch {
  readonly #list: string;
  readonly #mark: string;
  readonly #before: ReadonlySet<string>;

  /**
   * @param list a path for a file with what is left in a /dev/shm of the step's own
   * @param mark a word that no other step on this machine has
   */
  constructor(list: string, mark: string) {
    this.#list = list;
    this.#mark = mark;
    this.#before = new Set(arraysOf(machineMemory()));
  }

  /** The step's command as it is to be run. */
  wrap(command: readonly string[]): readonly string[] {
    return canOwnMemory ? [...OWN_MEMORY, this.#list, ...command] : command;
  }

  /** The step's environment. */
  get env(): Readonly<Record<string, string>> {
    return { [MARK_VARIABLE]: this.#mark };
  }

  /** What is left when the step's processes have been ended. */
  async left(): Promise<readonly string[]> {
    const arrays = arraysOf(canOwnMemory ? this.#listed() : machineMemory());
    return [
      ...arrays.filter((name) => !this.#before.has(name)).map((name) => `${MEMORY_FOLDER}/${name}`),
      ...await this.#luns(),
    ];
  }

  #listed(): readonly string[] {
    // A step that was killed lists nothing, and has failed.
    return existsSync(this.#list) ? readFileSync(this.#list, "utf8").split("\n") : [];
  }

  async #luns(): Promise<readonly string[]> {
    const endMs = performance.now() + DETACH_MS;
    for (;;) {
      const luns = sharedLuns().filter((device) => backingFile(device).includes(this.#mark));
      if (luns.length === 0 || performance.now() > endMs) {
        return luns.map((name) => `/dev/${name}`);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

function arraysOf(names: readonly string[]): readonly string[] {
  return names.filter((name) => ARRAY_MEMORY.test(name));
}

function machineMemory(): readonly string[] {
  return existsSync(MEMORY_FOLDER) ? readdirSync(MEMORY_FOLDER) : [];
}

function backingFile(device: string): string {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, "utf8");
  } catch {
    return ""; // It has none, or was detached in this moment.
  }
}

function sharedLuns(): readonly string[] {
  if (!existsSync("/sys/block")) return [];
  return readdirSync("/sys/block")
    .filter((name) => LOOP_DEVICE.test(name) && backingFile(name).includes(LUN_NAME));
}
