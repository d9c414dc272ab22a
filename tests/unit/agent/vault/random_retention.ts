// Random histories and rules for the tests of retention.

import type { Retention } from "../../../../agent/config/mod.ts";
import type { RetentionFact } from "../../../../agent/vault/retention_policy.ts";
import type { SeededRandom } from "../../../simulation/seeded_random.ts";

const HOUR_MS = 3_600_000;

/** Five fixed seeds and five fresh ones. */
export function seedsOf(): readonly number[] {
  return [1, 2, 3, 4, 5, ...crypto.getRandomValues(new Uint32Array(5))];
}

/** A retention of these rules and no other. */
export function rules(some: Partial<Retention>): Retention {
  return { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, withinMs: 0, ...some };
}

export function randomRetention(random: SeededRandom): Retention | null {
  if (random.chance(0.05)) return null;
  const count = () => random.chance(0.5) ? random.below(6) : 0;
  return rules({
    last: count(),
    daily: count(),
    weekly: count(),
    monthly: count(),
    yearly: count(),
    withinMs: random.chance(0.3) ? random.below(500) * HOUR_MS : 0,
  });
}

/** Up to forty backups of one source, hours to months apart; now and then the clock goes back. */
export function randomFacts(random: SeededRandom): RetentionFact[] {
  const count = random.below(40);
  let timeMs = Date.UTC(2024, 0, 1) + random.below(10_000) * HOUR_MS;
  return Array.from({ length: count }, (_, at) => {
    const hours = random.chance(0.1) ? random.below(3000) : random.below(40);
    timeMs += (random.chance(0.05) ? -hours : hours) * HOUR_MS;
    return {
      backup: `b${at + 1}`,
      number: at + 1,
      timeMs,
      status: random.chance(0.3) ? "incomplete" : "ok",
      pinned: random.chance(0.1),
      inUse: random.chance(0.05),
    };
  });
}
