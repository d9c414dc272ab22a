// Door of the examination of an installation.

export { examine, type ExamineParts } from "./examine.ts";
export type { Finding, Verdict } from "./finding.ts";
