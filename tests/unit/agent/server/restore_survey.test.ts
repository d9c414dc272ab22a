// The survey of a restore's target: what a dry run says, and that a restore of what changed moves
// no more than that and gives the tree of the backup. Client's and server's parts without the
// network between them. SURVEY_SEED repeats one history.

import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import {
  type ApplicationWarning,
  FilesystemRestorer,
  type Overwrite,
  TargetSurvey,
} from "../../../../agent/application/mod.ts";
import type { RestoreItemView } from "../../../../agent/control/mod.ts";
import { decodeIndexRows } from "../../../../agent/media/mod.ts";
import { RestoreSurvey } from "../../../../agent/server/restore_survey.ts";
import { type Verdict, VERDICTS } from "../../../../agent/verdict.ts";
import { AT_CWD } from "../../../../transport/runtime/files.ts";
import { SeededRandom } from "../../../simulation/seeded_random.ts";
import { decompressed, files, picture, shell } from "../application/fixture.ts";
import { IncrementalBed } from "../incremental/incremental_bed.ts";
import { RandomTree } from "../incremental/random_tree.ts";

interface RestoreHow {
  readonly backup?: string;
  readonly target?: string;
  readonly overwrite?: Overwrite;
  readonly include?: readonly string[];
  readonly dryRun?: boolean;
}

interface Restored {
  readonly items: readonly RestoreItemView[];
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly warnings: readonly ApplicationWarning[];
  /** Content bytes that were written. */
  readonly writtenBytes: number;
  readonly wanted: { readonly files: number; readonly bytes: number };
}

/** Surveys the target and restores what is needed, as the two workers do. */
function restore(bed: IncrementalBed, how: RestoreHow = {}): Restored {
  const { backup = "latest", target = "/", overwrite = "changed", dryRun = false } = how;
  const warnings: ApplicationWarning[] = [];
  const onWarning = (warning: ApplicationWarning) => void warnings.push(warning);
  using reader = bed.reader();
  const plan = reader.planRestore(backup, how.include ?? []);
  const server = new RestoreSurvey(plan);
  const items: RestoreItemView[] = [];
  using client = new TargetSurvey({ files, target, overwrite, onWarning });
  let index = 0;
  for (const chunk of server.chunks()) {
    const codes = decodeIndexRows(chunk).rows.map(({ entry }) => {
      const verdict = client.look(entry);
      const isSetNow = verdict === "attributes" && entry.type !== "directory" && !dryRun;
      return VERDICTS.indexOf(isSetNow ? client.setAttributes(entry) : verdict);
    });
    items.push(...server.take(index++, Uint8Array.from(codes)));
  }
  expect(server.isComplete).toBe(true);
  const verdicts = new Map(items.map(({ path, action }) => [path, action]));
  if (dryRun) return { items, verdicts, warnings, writtenBytes: 0, wanted: server.wanted };
  const { redirects } = plan;
  const consumer = new FilesystemRestorer({ files, target, overwrite, redirects, onWarning });
  for (const record of reader.restoreRecords(plan, () => {}, server.choice)) {
    consumer.feed(decompressed(record));
  }
  const { bytes } = consumer.finish();
  return { items, verdicts, warnings, writtenBytes: bytes, wanted: server.wanted };
}

/** Paths of the source and what becomes of them, without those that are left. */
function changes(bed: IncrementalBed, { verdicts }: Restored): Record<string, Verdict> {
  const found = [...verdicts].filter(([, verdict]) => verdict !== "leave")
    .map(([path, verdict]) => [path.slice(bed.source.length) || "/", verdict]);
  return Object.fromEntries(found);
}

function script(bed: IncrementalBed, text: string): void {
  shell(bed.source, text);
}

describe("a restore of what changed", () => {
  test("touches nothing when nothing differs, in place and in another target", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir d; echo a > d/a; ln d/a d/b; ln -s a l; mkfifo p; truncate -s 1M hole");
    bed.backUp();
    const before = picture(bed.source);
    expect(changes(bed, restore(bed))).toEqual({});
    using other = bed.restore("latest");
    const target = other.path.slice(0, -bed.source.length);
    const again = restore(bed, { target });
    expect(again.verdicts.size).toBe(7);
    expect(again.wanted).toEqual({ files: 0, bytes: 0 });
    expect(again.writtenBytes).toBe(0);
    expect(picture(other.path)).toBe(before);
  });

  test("rewrites what differs in content, sets what differs besides, leaves the rest", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir d e; echo a > d/changed; echo b > d/gone; echo c > d/mode; echo d > same");
    script(bed, "ln -s x link; echo t > time; echo f > was-file; touch -d @9 d e .");
    bed.backUp();
    const before = picture(bed.source);
    const inode = (name: string) => lstatSync(`${bed.source}/${name}`).ino;
    const [mode, same] = [inode("d/mode"), inode("same")];
    script(bed, "echo other > d/changed; rm d/gone; chmod 751 d/mode; ln -sfn y link");
    script(bed, "touch time; rm was-file; mkdir was-file");
    const dry = restore(bed, { dryRun: true });
    const touched = picture(bed.source);
    const done = restore(bed);
    expect(changes(bed, done)).toEqual({
      "/": "attributes",
      "/d": "attributes",
      "/d/changed": "replace",
      "/d/gone": "make",
      "/d/mode": "attributes",
      "/link": "replace",
      "/time": "replace",
      "/was-file": "replace",
    });
    expect([changes(bed, dry), dry.wanted]).toEqual([changes(bed, done), done.wanted]);
    expect(touched).not.toBe(before);
    expect(picture(bed.source)).toBe(before);
    expect(done.writtenBytes).toBe(8);
    expect([inode("d/mode"), inode("same")]).toEqual([mode, same]);
  });

  test("keeps what the backup does not have, and says what is in the way", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir d; echo a > d/a; echo f > f; touch -d @9 d");
    bed.backUp();
    script(bed, "echo extra > d/extra; rm f; mkdir f; echo inside > f/inside");
    const done = restore(bed);
    expect(done.verdicts.get(`${bed.source}/f`)).toBe("blocked");
    expect(done.warnings.map(({ code }) => code)).toEqual(["occupied"]);
    expect(readdirSync(`${bed.source}/d`).sort()).toEqual(["a", "extra"]);
    expect(lstatSync(`${bed.source}/d`).mtimeMs).toBe(9000);
    expect(readFileSync(`${bed.source}/f/inside`, "utf8")).toBe("inside\n");
  });

  test("links every name again when the first is another file, and a name that was cut off", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir d; echo a > d/a; ln d/a d/b; ln d/a d/c; touch -d @9 d");
    bed.backUp();
    const before = picture(bed.source);
    script(bed, "echo other > d/a");
    expect(changes(bed, restore(bed))).toEqual({
      "/d/a": "replace",
      "/d/b": "replace",
      "/d/c": "replace",
    });
    expect(picture(bed.source)).toBe(before);
    script(bed, "cp -p d/b own; mv own d/b; touch -d @9 d");
    expect(changes(bed, restore(bed))["/d/b"]).toBe("replace");
    expect(picture(bed.source)).toBe(before);
  });

  test("compares a part of a link set under the names that are restored", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir a b; echo data > a/first; ln a/first b/second; ln a/first b/third");
    bed.backUp();
    const target = `${bed.folder}/part`;
    const include = [`${bed.source}/b`];
    expect(restore(bed, { target, include }).writtenBytes).toBe(5);
    const again = restore(bed, { target, include });
    expect([again.wanted.files, again.writtenBytes]).toEqual([0, 0]);
    writeFileSync(`${target}${bed.source}/b/second`, "others");
    expect(restore(bed, { target, include }).writtenBytes).toBe(5);
    expect(readFileSync(`${target}${bed.source}/b/third`, "utf8")).toBe("data\n");
  });

  test("restores what was touched without a difference that shows", () => {
    using bed = new IncrementalBed();
    script(bed, "echo good > file; echo x > attribute; setfattr -n user.a -v 1 attribute || true");
    bed.backUp();
    const path = `${bed.source}/file`;
    const { atimeNs, mtimeNs } = files.stat(AT_CWD, path);
    writeFileSync(path, "evil\n");
    files.setTimes(AT_CWD, path, atimeNs, mtimeNs);
    expect(changes(bed, restore(bed))["/file"]).toBe("replace");
    expect(readFileSync(path, "utf8")).toBe("good\n");
  });

  test("brings attributes back that only the media have, with the content", () => {
    using bed = new IncrementalBed();
    const name = new TextEncoder().encode("user.a");
    const value = (text: string) => new TextEncoder().encode(text);
    const at = { directory: AT_CWD, name: `${bed.source}/file` };
    script(bed, "echo x > file; touch -d @9 .");
    files.xattrs.set(at, name, value("kept"));
    bed.backUp();
    files.xattrs.set(at, name, value("other"));
    script(bed, "chmod 600 file");
    expect(changes(bed, restore(bed))).toEqual({ "/file": "replace" });
    expect(files.xattrs.get(at, name)).toEqual(value("kept"));
  });
});

describe("a dry run", () => {
  test("refuses what the restore refuses, and makes no target", () => {
    using bed = new IncrementalBed();
    script(bed, "echo a > a");
    bed.backUp();
    const target = `${bed.folder}/new/target`;
    const dry = restore(bed, { target, overwrite: "refuse", dryRun: true });
    expect([...dry.verdicts.values()]).toEqual(["make", "make"]);
    expect(dry.wanted).toEqual({ files: 2, bytes: 2 });
    expect(existsSync(`${bed.folder}/new`)).toBe(false);
    const filled = () => restore(bed, { target: bed.folder, overwrite: "refuse", dryRun: true });
    expect(filled).toThrow("found files in it, need it empty");
    const noDirectory = { target: `${bed.source}/a`, overwrite: "always", dryRun: true } as const;
    expect(() => restore(bed, noDirectory)).toThrow("need a directory");
  });

  test("says by the policy what becomes of what is there", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir d; echo a > d/a; echo b > b");
    bed.backUp();
    script(bed, "rm b");
    const never = restore(bed, { overwrite: "never", dryRun: true });
    expect(changes(bed, never)).toEqual({ "/b": "make" });
    const always = restore(bed, { overwrite: "always", dryRun: true });
    expect(changes(bed, always)).toEqual({
      "/": "attributes",
      "/b": "make",
      "/d": "attributes",
      "/d/a": "replace",
    });
  });

  test("looks at nothing behind a link where a directory belongs", () => {
    using bed = new IncrementalBed();
    script(bed, "mkdir d; echo a > d/a");
    bed.backUp();
    const outside = `${bed.folder}/outside`;
    shell(bed.folder, "mkdir outside; cp -p source/d/a outside/a");
    script(bed, `rm -r d; ln -s ${outside} d`);
    const never = restore(bed, { overwrite: "never", dryRun: true });
    expect(changes(bed, never)).toEqual({ "/d": "blocked", "/d/a": "blocked" });
    expect(changes(bed, restore(bed, { dryRun: true }))["/d/a"]).toBe("make");
    restore(bed);
    expect(readdirSync(outside)).toEqual(["a"]);
    expect(lstatSync(`${bed.source}/d`).isDirectory()).toBe(true);
  });
});

const given = process.env["SURVEY_SEED"];
const fresh = Date.now() % 2 ** 31;
const seeds = given === undefined
  ? [1, 2, 3, 4, 5, ...Array.from({ length: 5 }, (_, at) => fresh + at)]
  : [Number(given)];

describe("a restore of what changed, of random trees", () => {
  for (const seed of seeds) {
    test(`gives back every object that nothing is in the way of, seed ${seed}`, () => {
      using bed = new IncrementalBed(32 * 1024);
      const random = new SeededRandom(seed);
      const tree = new RandomTree(bed.source, random);
      tree.grow(20);
      bed.backUp();
      // A change that shows in nothing but ctime may hide behind one that shows.
      const options = { without: "rewrite with the same size and times" };
      const history = tree.change(1 + random.below(10), options);
      bed.backUp();
      history.push("then", ...tree.change(1 + random.below(10), options));
      const before = picture(bed.source);
      const backup = random.chance(0.5) ? "b0001" : "latest";
      const dry = restore(bed, { backup, dryRun: true });
      expect(picture(bed.source)).toBe(before);
      const done = restore(bed, { backup });
      expect([history, done.verdicts, done.wanted]).toEqual([history, dry.verdicts, dry.wanted]);
      const blocked = [...done.verdicts].filter(([, verdict]) => verdict === "blocked");
      expect(done.warnings.map(({ code }) => code)).toEqual(blocked.map(() => "occupied"));
      using clean = bed.restore(backup);
      compare(bed, clean.path, blocked.map(([path]) => path), history);
      if (blocked.length > 0) return;
      // What was only set was touched by that, and comes whole the next time; then all is still.
      restore(bed, { backup });
      expect([history, restore(bed, { backup }).writtenBytes]).toEqual([history, 0]);
    });
  }
});

/** Everything of the clean tree is in the source, the same, but for what is blocked. */
function compare(
  bed: IncrementalBed,
  clean: string,
  blocked: readonly string[],
  history: readonly string[],
): void {
  const draw = (root: string) => {
    const format = "%P\\t%y\\t%m\\t%T@\\t%l\\t%s\\0";
    const lines = execFileSync("find", [root, "-printf", format], { encoding: "latin1" });
    const entries = lines.split("\0").filter(Boolean).map((line) => {
      const fields = line.split("\t");
      if (fields[1] === "d") fields.pop();
      const path = `${root}/${fields[0]}`;
      if (fields[1] === "f") fields.push(readFileSync(Buffer.from(path, "latin1"), "base64"));
      return [fields[0] ?? "", fields.join("\t")] as const;
    });
    return new Map(entries);
  };
  const present = draw(bed.source);
  const missing = [...draw(clean)].filter(([path, drawn]) => {
    // As the verdicts name it: `find` was read byte by byte.
    const full = Buffer.from(`${bed.source}/${path}`, "latin1").toString();
    return !blocked.some((one) => full === one) && present.get(path) !== drawn;
  });
  expect([history, missing]).toEqual([history, []]);
}
