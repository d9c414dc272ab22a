// Decoder of a stream of server-sent events (WHATWG HTML, "event stream interpretation").
//
// Pure: text pieces in, events out, wherever the pieces were cut. Lines are bounded.

import { AgentError } from "../../transport/ground/error.ts";
import { MAX_EVENT_LINE_CHARACTERS } from "./limits.ts";

export interface SseEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

export class SseDecoder {
  #rest = "";
  #id = "";
  #event = "";
  #data: string[] = [];

  /** The events that `piece` completes. @throws AgentError `damaged` when a line is too long */
  push(piece: string): readonly SseEvent[] {
    const events: SseEvent[] = [];
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > MAX_EVENT_LINE_CHARACTERS) {
      throw new AgentError(
        "damaged",
        `Cannot read events: found a line above ${MAX_EVENT_LINE_CHARACTERS} characters`,
      );
    }
    for (const line of lines) this.#take(line.endsWith("\r") ? line.slice(0, -1) : line, events);
    return events;
  }

  #take(line: string, events: SseEvent[]): void {
    if (line === "") {
      if (this.#data.length > 0) {
        events.push({ id: this.#id, event: this.#event, data: this.#data.join("\n") });
      }
      this.#event = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#id = value;
    else if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
  }
}
