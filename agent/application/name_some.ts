// Names some of many things in a message that stays short.

import { MAX_NAMED_XATTRS } from "./limits.ts";

/** "a, b, c", or "a, b and 7 more" beyond the limit. */
export function nameSome(items: readonly string[]): string {
  const rest = items.length - MAX_NAMED_XATTRS;
  const named = items.slice(0, MAX_NAMED_XATTRS).join(", ");
  return rest > 0 ? `${named} and ${rest} more` : named;
}
