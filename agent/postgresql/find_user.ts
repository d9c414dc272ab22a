// A user of this host by name, as the system's own `getent` finds it (also in a directory service).

import { AgentError, type Process, type UserId } from "../../transport/mod.ts";

/** @throws AgentError `failed` when there is none of that name */
export async function findUser(process: Process, name: string): Promise<UserId> {
  const lines: string[] = [];
  const child = process.start(["getent", "passwd", name], {
    onLine: (line) => void lines.push(line),
    onErrorText: () => {},
  });
  child.endInput();
  await child.ended;
  const [, , uid, gid] = lines[0]?.split(":") ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new AgentError("failed", `Cannot find user "${name}": found none, need it on this host`, {
    hint: "Mend the key `user` of the database.",
  });
}
