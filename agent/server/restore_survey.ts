// What a survey of a restore's target comes to: chunks of the plan's entries, in the plan's order,
// and for each a verdict; from them the members that the client needs, and what they count.
//
// Invariants: verdicts come for chunk 0, 1, 2, …, one for each entry; a further name of a hard link
// is needed when its first name is, since the first becomes another file. Names of links are in
// memory, nothing of other entries but a bit each and two chunks. Pure.

import { AgentError } from "../../transport/mod.ts";
import { toListed } from "../catalog/mod.ts";
import type { RestoreItemView, VerdictCounts } from "../control/restore_view.ts";
import type { Entry } from "../entry.ts";
import { encodeIndexRows } from "../media/mod.ts";
import { type Verdict, VERDICTS } from "../verdict.ts";
import { MemberChoice, type PlannedMember, type RestorePlan } from "../vault/mod.ts";
import { RESTORE_ITEMS_LISTED, SURVEY_CHUNK_BYTES, SURVEY_ROW_BYTES } from "./limits.ts";

interface Count {
  files: number;
  bytes: number;
}

export class RestoreSurvey {
  /** Members that the client needs, by their order in the plan. */
  readonly choice = new MemberChoice();
  readonly #plan: RestorePlan;
  readonly #sent: (readonly PlannedMember[])[] = [];
  readonly #links: LinkedFiles;
  readonly #counts = VERDICTS.map((): Count => ({ files: 0, bytes: 0 }));
  readonly #wanted: Count = { files: 0, bytes: 0 };
  #taken = 0;
  #members = 0;
  #listed = 0;
  #allSent = false;

  constructor(plan: RestorePlan) {
    this.#plan = plan;
    this.#links = new LinkedFiles(plan);
  }

  /** True when there is a verdict for every entry. */
  get isComplete(): boolean {
    return this.#allSent && this.#taken === this.#sent.length;
  }

  /** Entries and content bytes of the members that the client needs. */
  get wanted(): Readonly<Count> {
    return this.#wanted;
  }

  get verdicts(): VerdictCounts {
    const [make, replace, attributes, leave, blocked] = this.#counts as [
      Count,
      Count,
      Count,
      Count,
      Count,
    ];
    return { make, replace, attributes, leave, blocked };
  }

  /** The entries, encoded as index rows. */
  *chunks(): Generator<Uint8Array> {
    let members: PlannedMember[] = [];
    let bytes = 0;
    for (const member of this.#plan.members()) {
      members.push(member);
      const { path, target } = member.entry;
      bytes += SURVEY_ROW_BYTES + path.length + (target?.length ?? 0);
      if (bytes < SURVEY_CHUNK_BYTES) continue;
      yield this.#send(members);
      members = [];
      bytes = 0;
    }
    if (members.length > 0) yield this.#send(members);
    this.#allSent = true;
  }

  /**
   * Takes the verdicts for a chunk.
   * @returns what becomes of its entries, up to the limit of a list
   * @throws AgentError `reset` for what is no answer to a chunk
   */
  take(index: number, verdicts: Uint8Array): RestoreItemView[] {
    const members = this.#sent[index];
    if (index !== this.#taken || members === undefined || members.length !== verdicts.length) {
      const found = `${verdicts.length} verdicts for part ${index}`;
      throw new AgentError("reset", `Cannot go on with the restore: found ${found}`);
    }
    this.#taken++;
    this.#sent[index] = [];
    const items: RestoreItemView[] = [];
    members.forEach(({ entry }, at) => {
      const verdict = this.#decide(entry, verdicts[at] ?? VERDICTS.length);
      if (this.#listed++ < RESTORE_ITEMS_LISTED) items.push(toItem(entry, verdict));
    });
    return items;
  }

  #send(members: readonly PlannedMember[]): Uint8Array {
    this.#sent.push(members);
    return encodeIndexRows(members);
  }

  #decide(entry: Entry, code: number): Verdict {
    const said = VERDICTS[code];
    if (said === undefined) {
      throw new AgentError("reset", `Cannot go on with the restore: found verdict ${code}`);
    }
    const verdict = said === "leave" && this.#links.isMadeAnew(entry) ? "replace" : said;
    const isWanted = verdict === "make" || verdict === "replace" ||
      // A directory gets its own when all below it is done, so its member has to come.
      (verdict === "attributes" && entry.type === "directory");
    const bytes = entry.type === "file" ? entry.sizeBytes : 0;
    add(this.#counts[VERDICTS.indexOf(verdict)], bytes);
    if (isWanted) {
      this.choice.add(this.#members);
      add(this.#wanted, bytes);
      this.#links.makeAnew(entry);
    }
    this.#members++;
    return verdict;
  }
}

/** The first names of hard links, and which of them are made anew. */
class LinkedFiles {
  readonly #madeAnew = new Map<string, boolean>();
  // Windows-1252 as the web defines it maps every byte to its own character: a key without loss.
  readonly #decoder = new TextDecoder("latin1");

  constructor(plan: RestorePlan) {
    for (const { entry } of plan.members()) {
      if (entry.type === "hardlink") this.#madeAnew.set(this.#key(entry.target), false);
    }
  }

  makeAnew({ type, path }: Entry): void {
    if (type === "hardlink" || this.#madeAnew.size === 0) return;
    const key = this.#key(path);
    if (this.#madeAnew.has(key)) this.#madeAnew.set(key, true);
  }

  /** True for a further name of a file that is made anew. */
  isMadeAnew({ type, target }: Entry): boolean {
    return type === "hardlink" && this.#madeAnew.get(this.#key(target)) === true;
  }

  #key(path: Uint8Array | null): string {
    return this.#decoder.decode(path ?? new Uint8Array(0));
  }
}

function add(count: Count | undefined, bytes: number): void {
  if (count === undefined) return;
  count.files += 1;
  count.bytes += bytes;
}

function toItem(entry: Entry, action: Verdict): RestoreItemView {
  const { path, pathBase64, type, bytes } = toListed(entry);
  return { type: "item", action, path, pathBase64, kind: type, bytes };
}
