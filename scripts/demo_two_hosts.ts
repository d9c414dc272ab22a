// The main program of `scripts/demo --two-hosts`; scripts/demo says what it shows. Exit code 0 only
// when every job finished, every restore is identical and the LAN carried what it should.

import { FALLBACK_REASONS } from "../transport/flow/fallback_reason.ts";
import { readTreeFacts, sizeOfTree } from "./demonstration/acts.ts";
import { headline, say, verdictLine } from "./demonstration/say.ts";
import { chooseSource } from "./demonstration/source_tree.ts";
import { lanProblems, lanTable, speedOf } from "./demonstration/two_hosts/lan_table.ts";
import { whyNotTwoHosts } from "./demonstration/two_hosts/permission.ts";
import * as acts from "./demonstration/two_hosts/two_host_acts.ts";
import { TwoHostStage } from "./demonstration/two_hosts/two_host_stage.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Bytes that sources, media and restored files take together at most. */
const DATA_BYTES = 6e9;

/** Runs all acts. @returns true when everything is as it must be */
async function perform(two: TwoHostStage, tree: string): Promise<boolean> {
  headline("Two hosts, a LAN of 1 Gbit/s between them, a LUN that both see");
  const { pair, lun } = two;
  say(`server ${pair.address("server")}, client ${pair.address("client")}, LUN ${lun.path}`);
  await two.prepare();
  for (const side of ["server", "server-lan", "client"] as const) await two.start(side);

  headline("A real tree, and files of random bytes, through the LUN");
  const random = await acts.makeRandomFiles(two);
  const real = await acts.backUpTree(two, { what: "tree, LUN", side: "server", path: tree });
  await two.calls.show("server", "status");
  const restored = await acts.restoreTree(two, { what: "tree restored", source: tree });
  const fast = await acts.backUpTree(two, { what: "random, LUN", side: "server", path: random });

  headline("The same files of random bytes over the LAN, by a server that has no LUN");
  const what = "random, LAN only";
  const slow = await acts.backUpTree(two, { what, side: "server-lan", path: random });

  headline("A database, and the LAN is cut in the middle");
  const database = await acts.cutLanInBackup(two);
  const ledger = await acts.restoreLedger(two);

  headline("Files, and the LUN is taken away in the middle");
  const lost = await acts.loseLunInBackup(two, random);
  const { fallback } = lost.summary;
  if (fallback !== null) say(`\n${fallback}: ${FALLBACK_REASONS[fallback]}`);
  await two.calls.show("server", "verify", "--data");
  const again = await acts.restoreTree(two, { what: "random restored", source: random });

  headline("What went where");
  say(lanTable([real, restored, fast, slow, database, ledger, lost, again]));
  say(
    `\nThrough the LUN ${
      (speedOf(fast.summary) / speedOf(slow.summary)).toFixed(1)
    } times as fast.`,
  );

  headline("Verdict");
  const { objects, bytes } = sizeOfTree(await readTreeFacts(tree));
  const size = `${objects.toLocaleString("en-US")} objects, ${(bytes / 1e6).toFixed(1)} MB`;
  return [
    verdictLine("the LAN stayed flat while data went through the LUN", [
      ...lanProblems([real, restored, fast, database, ledger]),
    ]),
    verdictLine(`restored tree identical: ${size}`, restored.problems),
    verdictLine("the database backup finished without the LAN", database.problems),
    verdictLine("restored database whole, every row", ledger.problems),
    verdictLine(
      `the file backup finished without the LUN: ${lost.summary.fallback}`,
      lost.problems,
    ),
    verdictLine("its media are sound, and restored identical", again.problems),
  ].every(Boolean);
}

function readArguments(
  args: readonly string[],
): { readonly binary: boolean; readonly keep: boolean } {
  const known = ["--two-hosts", "--binary", "--keep"];
  const unknown = args.find((argument) => !known.includes(argument));
  if (unknown !== undefined) throw new Error(`Cannot use "${unknown}" with --two-hosts`);
  return { binary: args.includes("--binary"), keep: args.includes("--keep") };
}

async function main(): Promise<number> {
  const { binary, keep } = readArguments(Deno.args);
  const whyNot = await whyNotTwoHosts();
  if (whyNot !== null) {
    say(`Cannot show two hosts on this machine: ${whyNot}`);
    say("hint: Run it as root, where network namespaces and loop devices are permitted.");
    return 1;
  }
  const agent = [binary ? `${ROOT}/dist/agent` : `${ROOT}/scripts/agent`];
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => stop.abort(new Error("interrupted")));
  }
  const two = await TwoHostStage.make(agent, {
    keep,
    signal: stop.signal,
    dataBytes: DATA_BYTES,
  });
  try {
    const good = await perform(two, await chooseSource(ROOT));
    say(good ? "\nEverything is as it must be." : "\nSomething is not as it must be.");
    return good ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    say(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    for (const side of ["server", "server-lan", "client"]) say(two.stage.logOf(side));
    return 1;
  } finally {
    await two[Symbol.asyncDispose]();
    if (keep) say(`Kept: ${two.stage.folder}`);
  }
}

try {
  Deno.exit(await main());
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  Deno.exit(2);
}
