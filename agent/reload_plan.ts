// What a configuration that was read again changes in a running daemon, and what has to wait for
// its next start. Pure.
//
// What jobs are given when they begin takes effect at once; what is held open since the start –
// ports, sockets, host ids, the vault, files of its own – does not. The table has every key: one
// that is new does not compile before somebody decided.

import type { ClientConfig, Config, ServerConfig } from "./config/mod.ts";

type Field = Exclude<keyof ServerConfig | keyof ClientConfig, "role" | "file">;

interface KeyEffect {
  /** As it stands in the file; several with a comma. */
  readonly key: string;
  readonly effect: "reload" | "restart";
}

const reload = (key: string): KeyEffect => ({ key, effect: "reload" });
const restart = (key: string): KeyEffect => ({ key, effect: "restart" });

export const KEY_EFFECTS: { readonly [F in Field]: KeyEffect } = {
  name: restart("name"),
  network: restart("network"),
  control: restart("control"),
  controlToken: restart("control_token"),
  tls: reload("tls"),
  stgs: restart("stgs"),
  jobs: reload("jobs"),
  vault: restart("vault"),
  clients: reload("clients"),
  retention: reload("retention"),
  schedules: reload("schedules"),
  server: restart("server"),
  databases: reload("databases"),
  state: restart("state"),
  spool: restart("spool"),
  walSocket: restart("wal_socket"),
  compression: reload("compression"),
  hooks: reload("hooks"),
  encryption: reload("encryption"),
  allow: reload("allow_backup, allow_restore, allow_overwrite"),
  audit: restart("audit"),
};

export interface ReloadPlan<C extends Config> {
  /** What the daemon goes on with. */
  readonly config: C;
  /** Keys of the file that change now. */
  readonly changed: readonly string[];
  /** Keys of the file that changed and keep their old value until a restart. */
  readonly held: readonly string[];
}

export function planReload<C extends Config>(running: C, read: C): ReloadPlan<C> {
  const config = { ...read };
  const [changed, held]: [string[], string[]] = [[], []];
  for (const field of fieldsOf(running)) {
    const [before, after] = [running[field], read[field]];
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    const { key, effect } = KEY_EFFECTS[field];
    // Listeners speak TLS or they do not.
    const opensTls = field === "tls" && (before === null) !== (after === null);
    if (effect === "reload" && !opensTls) changed.push(key);
    else {
      keep(config, running, field);
      held.push(key);
    }
  }
  return { config, changed, held };
}

function keep<C, F extends keyof C>(config: C, from: C, field: F): void {
  config[field] = from[field];
}

function fieldsOf<C extends Config>(config: C): readonly (keyof C & Field)[] {
  const isField = (name: string): name is keyof C & Field & string => name in KEY_EFFECTS;
  return Object.keys(config).filter(isField);
}
