// TCP connections of processes, by the operating system's own account: /proc/net/tcp and tcp6, tied
// to a process by the inodes of its sockets.

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** States of the kernel's table that are no connection (any more). */
const LISTEN = "0A";
const TIME_WAIT = "06";

function socketInodes(pid: number): Set<string> {
  const inodes = new Set<string>();
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed since the directory was read.
    }
  }
  return inodes;
}

/** "local remote state" of each TCP connection that one of the processes has. */
export function tcpConnections(pids: readonly number[]): string[] {
  // The table first: a socket that is opened in between is then missed, never one that stays.
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].filter((path) => existsSync(path));
  const lines = tables.flatMap((path) => readFileSync(path, "latin1").split("\n").slice(1));
  const ours = new Set(pids.flatMap((pid) => [...socketInodes(pid)]));
  const found: string[] = [];
  for (const line of lines) {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
    if (inode === undefined || !ours.has(inode)) continue;
    if (state === LISTEN || state === TIME_WAIT) continue;
    found.push(`${local} ${remote} ${state}`);
  }
  return found;
}
