export { examine, type ExamineParts } from "./examine.ts";
export type { Finding, Verdict } from "./finding.ts";
