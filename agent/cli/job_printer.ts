// Prints a job's events: JSON lines for machines, a bar or plain lines for people.
//
// Progress, warnings and errors of text mode go to standard error, so that standard output has
// results only. With --json progress and the summary are on standard output, errors and warnings
// on standard error.

import type { ExpiryItemView, JobEventBody, Progress, Summary, Warning } from "../control/mod.ts";
import { MAX_SHOWN_WARNINGS, PLAIN_PROGRESS_SECONDS } from "./limits.ts";
import { type Output, printable } from "./output.ts";
import { errorText } from "./report_error.ts";
import { progressBar, progressText } from "./progress_line.ts";
import { renderExpiry } from "./render_expiry.ts";
import { renderRestoreItems } from "./render_restore.ts";
import { renderSummary } from "./render_job.ts";
import { renderWalArchives } from "./render_wal.ts";

const CLEAR_LINE = "\r\x1b[K";

export class JobPrinter {
  readonly #out: Output;
  readonly #json: boolean;
  #barShown = false;
  #lastPhase = "";
  #lastSeconds = 0;
  #warnings = 0;
  #cancelled = false;
  readonly #expiry: ExpiryItemView[] = [];

  constructor(out: Output, json: boolean) {
    this.#out = out;
    this.#json = json;
  }

  print(body: JobEventBody): void {
    if (this.#json && "items" in body) {
      for (const item of body.items) this.#out.write(1, `${JSON.stringify(item)}\n`);
      return;
    }
    if (this.#json) {
      const stream = body.type === "progress" || body.type === "summary" ? 1 : 2;
      this.#out.write(stream, `${JSON.stringify(body)}\n`);
      return;
    }
    switch (body.type) {
      case "progress":
        return this.#progress(body);
      case "warning":
        return this.#warning(body);
      case "expiry":
        this.#expiry.push(...body.items);
        return;
      case "restore":
        this.#endBar();
        return this.#out.write(1, renderRestoreItems(body.items, this.#out.paint(1)));
      case "wal-archives":
        this.#endBar();
        return this.#out.write(1, renderWalArchives(body.items, this.#out.paint(1)));
      case "error":
        if (body.code === "cancelled") this.#cancelled = true;
        return this.note(this.#out.paint(2).red(errorText(body.message, body.hint)));
      case "summary":
        this.#endBar();
        this.#hiddenWarnings();
        return this.#out.write(1, this.#summary(body));
    }
  }

  #summary(summary: Summary): string {
    const plan = this.#expiry.length === 0 ? "" : renderExpiry(this.#expiry, this.#out.paint(1));
    return plan + this.#ending(summary);
  }

  #ending(summary: Summary): string {
    const state = this.#cancelled ? "cancelled" : summary.status;
    return renderSummary(summary, this.#out.paint(1), state);
  }

  /** A line for people on standard error, not lost under the bar; nothing with --json. */
  note(text: string): void {
    if (this.#json) return;
    this.#endBar();
    this.#out.write(2, `${text}\n`);
  }

  #progress(progress: Progress): void {
    if (this.#out.isTerminal(2)) {
      this.#out.write(2, `\r${progressBar(progress, this.#out.columns())}\x1b[K`);
      this.#barShown = true;
      return;
    }
    const due = progress.seconds - this.#lastSeconds >= PLAIN_PROGRESS_SECONDS;
    if (progress.phase === this.#lastPhase && !due) return;
    this.#lastPhase = progress.phase;
    this.#lastSeconds = progress.seconds;
    this.#out.write(2, `${progressText(progress)}\n`);
  }

  #warning(warning: Warning): void {
    this.#warnings += 1;
    if (this.#warnings > MAX_SHOWN_WARNINGS) return;
    const path = warning.path === null ? "" : `${printable(warning.path)}: `;
    this.note(this.#out.paint(2).yellow(`warning: ${path}${printable(warning.message)}`));
  }

  #hiddenWarnings(): void {
    const hidden = this.#warnings - MAX_SHOWN_WARNINGS;
    if (hidden > 0) this.note(`warning: and ${hidden} more, see --json or agent show`);
  }

  #endBar(): void {
    if (this.#barShown) this.#out.write(2, CLEAR_LINE);
    this.#barShown = false;
  }
}
