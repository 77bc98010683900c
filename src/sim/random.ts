/** Draws numbers from 0 (included) to 1 (not included). */
export type Random = () => number

/** Seeds are whole numbers from 0 up to this, not included. */
export const SEED_LIMIT = 2 ** 32

/** Out of eight answers of a leaf, six are good. */
const LEAF_STATUSES = [200, 200, 200, 200, 200, 200, 500, 502] as const

/** Weights of its bad ones. */
export const LEAF_ERROR_CODES: Record<string, number> = { '500': 1, '502': 1 }

export type LeafStatus = (typeof LEAF_STATUSES)[number]

/**
 * A generator of its own for each name: what one service draws depends on the seed and on how often it drew
 * before, never on the order in which requests reach the others.
 */
export function randomFor(seed: number, name: string): Random {
  return mulberry32(fnv1a(`${seed}:${name}`))
}

export function drawStatus(random: Random): LeafStatus {
  return LEAF_STATUSES[Math.floor(random() * LEAF_STATUSES.length)] ?? 200
}

/** A status, by weights. */
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
