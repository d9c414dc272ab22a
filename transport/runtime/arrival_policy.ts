// Whose new connections a listener takes for now. Pure.
//
// Each address has a bucket of arrivals that fills with time, and all addresses together have one.
// Who emptied his is refused until his has filled up by a part; when the common one is empty,
// everybody is. Arrivals that came in all the same make debts, so that in the long run nobody gets
// more than his rate.
//
// An address of IPv6 stands for its /64: a host may have all of one.

import { addressGroup } from "./address_group.ts";
import { ARRIVAL_ADDRESSES_MAX, ARRIVAL_REFUSED_MAX } from "./limits.ts";

export interface ArrivalRate {
  readonly burst: number;
  readonly perSecond: number;
}

/** How many connections a listener takes before it lets newcomers wait. */
export interface ArrivalLimits {
  readonly perAddress: ArrivalRate;
  readonly total: ArrivalRate;
}

/** Groups of addresses (address_group.ts), or all of them. */
export type Refused = readonly string[] | "all";

/** Part of a burst that must be there again before who was refused is let in. */
const REOPEN_SHARE = 1 / 8;

export class ArrivalPolicy {
  readonly #limits: ArrivalLimits;
  readonly #total: Bucket;
  /** By group; who arrived last is last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: ArrivalLimits, nowMs: number) {
    this.#limits = limits;
    this.#total = new Bucket(limits.total, nowMs);
  }

  /** @returns true when somebody is refused from now on who was not */
  arrived(address: string, nowMs: number): boolean {
    const group = addressGroup(address);
    const bucket = this.#buckets.get(group) ?? new Bucket(this.#limits.perAddress, nowMs);
    this.#buckets.delete(group);
    this.#buckets.set(group, bucket);
    if (this.#buckets.size > ARRIVAL_ADDRESSES_MAX) this.#forgetOldest();
    const own = bucket.take(nowMs);
    return this.#total.take(nowMs) || own;
  }

  refused(nowMs: number): Refused {
    if (this.#total.isRefused(nowMs)) return "all";
    const refused: string[] = [];
    for (const [group, bucket] of this.#buckets) {
      if (bucket.isRefused(nowMs)) refused.push(group);
    }
    return refused.length > ARRIVAL_REFUSED_MAX ? "all" : refused;
  }

  #forgetOldest(): void {
    for (const group of this.#buckets.keys()) {
      this.#buckets.delete(group);
      return;
    }
  }
}

class Bucket {
  readonly #rate: ArrivalRate;
  #left: number;
  #atMs: number;
  #refused = false;

  constructor(rate: ArrivalRate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burst;
    this.#atMs = nowMs;
  }

  /** @returns true when this was the last one, or one too many */
  take(nowMs: number): boolean {
    const was = this.isRefused(nowMs);
    this.#left--;
    this.#refused ||= this.#left < 1;
    return this.#refused && !was;
  }

  isRefused(nowMs: number): boolean {
    const { burst, perSecond } = this.#rate;
    this.#left = Math.min(burst, this.#left + (nowMs - this.#atMs) * perSecond / 1000);
    this.#atMs = nowMs;
    if (this.#left >= Math.max(1, burst * REOPEN_SHARE)) this.#refused = false;
    return this.#refused;
  }
}
