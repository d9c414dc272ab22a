// Where this client takes restores, by its own file: links on the way to a place are followed
// before it is compared, since they could lead elsewhere.

import { type Confinement, requireRestoreAllowed } from "../confinement.ts";
import type { Files } from "../../transport/mod.ts";
import { resolveLinks } from "./resolve_links.ts";

export class AllowedPlaces {
  readonly #files: Pick<Files, "readLink">;
  readonly #allow: Confinement;

  constructor(files: Pick<Files, "readLink">, allow: Confinement) {
    this.#files = files;
    this.#allow = allow;
  }

  /**
   * @param overwrite what becomes of what is there
   * @throws AgentError `auth`
   */
  require(place: string, overwrite = "refuse"): void {
    const target = resolveLinks(this.#files, place);
    requireRestoreAllowed(this.#allow, { target, overwrite }, "this client's");
  }

  /**
   * The place where a database is, which is in this client's file already: that only needs to allow
   * restores at all.
   * @throws AgentError `auth`
   */
  requireOwn(place: string, overwrite = "refuse"): void {
    const { restore } = this.#allow;
    const allow = { ...this.#allow, restore: restore?.length === 0 ? restore : null };
    requireRestoreAllowed(allow, { target: place, overwrite }, "this client's");
  }
}
