// Documents that are made from the code are current, and every code that a user meets is explained.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { configurationReference } from "../../../scripts/documents/configuration_reference.ts";
import { EXIT_CODES } from "../../../agent/cli/help.ts";
import { ERROR_CODES } from "../../../transport/ground/error.ts";
import { commandsOf } from "../../soak/document_commands.ts";
import { FALLBACK_CODES } from "../../../transport/flow/fallback_reason.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url).href);
const read = (path: string) => readFileSync(`${ROOT}${path}`, "utf8");

/** Codes of warnings: those of a path, and those that a job reports by itself. */
function warningCodes(): readonly string[] {
  const union = /export type WarningCode =(.*?);$/ms.exec(read("agent/application/application.ts"));
  const ofPaths = [...(union?.[1] ?? "").matchAll(/\| "(\w+)"/g)].map((match) => match[1] ?? "");
  const reports = /(?:warn\(|type: "warning"|onWarning\()[^;]*?code: "(\w+)"/g;
  const ofJobs = readdirSync(`${ROOT}agent`, { recursive: true }).map(String)
    .filter((path) => path.endsWith(".ts"))
    .flatMap((path) => [...read(`agent/${path}`).matchAll(reports)].map((match) => match[1] ?? ""));
  return [...new Set([...ofPaths, ...ofJobs])];
}

describe("documents", () => {
  test("docs/configuration.md is current: made by scripts/documents.ts write", () => {
    expect(read("docs/configuration.md")).toBe(configurationReference());
  });

  test("docs/install.md says of its commands where they run, in places that there are", () => {
    const guide = read("docs/install.md");
    const chapters = ["2. The program", "3. Certificates", "4. Configurations", "5. Start"];
    for (const chapter of [...chapters, "6. The page"]) commandsOf(guide, chapter);
    const lost = guide.replace("# on web01", "# on web02");
    expect(() => chapters.map((chapter) => commandsOf(lost, chapter))).toThrow("where is that?");
  });

  test("docs/troubleshooting.md explains every code, and none that is no more", () => {
    const page = read("docs/troubleshooting.md");
    const explained = [...page.matchAll(/^\| `(\w+)`/gm)].map((match) => match[1] ?? "");
    const known = [
      ...EXIT_CODES.flatMap(([code]) => code.split(", ")),
      ...ERROR_CODES,
      "internal",
      ...FALLBACK_CODES,
      ...warningCodes(),
    ];
    expect(warningCodes().length).toBeGreaterThan(20);
    expect(known.filter((code) => !explained.includes(code))).toEqual([]);
    expect(explained.filter((code) => !known.includes(code))).toEqual([]);
  });

  test("links between the documents lead somewhere", () => {
    const pages = [
      "README.md",
      ...readdirSync(`${ROOT}docs`).filter((name) => name.endsWith(".md")).map((name) =>
        `docs/${name}`
      ),
    ];
    for (const page of pages) {
      const folder = page.includes("/") ? "docs/" : "";
      for (const [, target = ""] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        const path = fileURLToPath(new URL(target, `file://${ROOT}${folder}`).href);
        expect(() => readFileSync(path)).not.toThrow();
      }
    }
  });
});
