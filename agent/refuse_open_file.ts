// A secret in a file: keys, identities, tokens. Who reads it can be its owner, so it may not be
// open to every user. A group may read it: that is how secrets are often handed out.

import { AgentError } from "../transport/ground/error.ts";
import { AT_CWD, type Files } from "../transport/runtime/mod.ts";

export interface OpenFileWords {
  /** For example `tls.key "/etc/agent/key"`. */
  readonly what: string;
  /** What is to be done besides closing it, for others may have read it. */
  readonly renew: string;
  readonly code?: "usage" | "auth";
}

/** @throws AgentError `code` when every user may use the file; SystemError when it is not there */
export function refuseOpenFile(
  files: Pick<Files, "stat">,
  path: string,
  { what, renew, code = "usage" }: OpenFileWords,
): void {
  const { mode, type } = files.stat(AT_CWD, path, { follow: true });
  if (type !== "file" || (mode & 0o007) === 0) return;
  const octal = mode.toString(8).padStart(4, "0");
  throw new AgentError(
    code,
    `Cannot use ${what}: found it open to every user (mode ${octal}), need 0600 or 0640`,
    { hint: `Run \`chmod 600 ${path}\`; ${renew} if others may have read it.` },
  );
}
