/** Returns random numbers from 0 (inclusive) to 1 (exclusive). */
export type Random = () => number

/** Seeds are whole numbers below this. */
export const SEED_LIMIT = 2 ** 32

/** Six of eight responses of a leaf are good. */
const LEAF_STATUSES = [200, 200, 200, 200, 200, 200, 500, 502] as const

/** Weights of the others. */
export const LEAF_ERROR_CODES: Record<string, number> = { '500': 1, '502': 1 }

export type LeafStatus = (typeof LEAF_STATUSES)[number]

/**
 * A separate generator for each name: what a service draws depends on the seed and on how often it has drawn, never
 * on the order of requests to other services.
 */
export function randomFor(seed: number, name: string): Random {
  return mulberry32(fnv1a(`${seed}:${name}`))
}

export function drawStatus(random: Random): LeafStatus {
  return LEAF_STATUSES[Math.floor(random() * LEAF_STATUSES.length)] ?? 200
}

/** A random status by weight. */
export function weighted(codes: Readonly<Record<string, number>>, random: Random): number {
  const entries = Object.entries(codes)
  let left = random() * entries.reduce((sum, [, weight]) => sum + weight, 0)
  const drawn = entries.find(([, weight]) => {
    left -= weight
    return left < 0
  })
  return Number((drawn ?? entries[0])?.[0] ?? 500)
}

/** @see https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function mulberry32(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @see https://datatracker.ietf.org/doc/html/draft-eastlake-fnv-17 */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
