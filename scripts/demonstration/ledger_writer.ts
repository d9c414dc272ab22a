// The write load of the demo: a process that adds rows to the ledger until it is ended. It ends by
// itself when its standard input closes, so that it does not outlive the demo.

import { Ledger, ROWS_PER_TRANSACTION } from "./ledger.ts";

/** Milliseconds between transactions: a busy database, but not all of a processor. */
const PAUSE_MS = 3;

const [path = ""] = process.argv.slice(2);
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
using ledger = Ledger.open(path);
for (;;) {
  ledger.append(ROWS_PER_TRANSACTION);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
