import type { Rate, Taken } from './buckets.ts'
import { NOW, type SharedCounts, script } from './shared-counts.ts'

export interface SharedBucket {
  key: string
  rate: Rate
}

export interface SharedTaken extends Taken {
  /** The bucket that had too little; omitted: none. */
  refusedBy?: number
}

/** A bucket that is full again is forgotten. */
const TAKE = script(`${NOW}
local cost = tonumber(ARGV[1])
local tokens = {}
for i, key in ipairs(KEYS) do
  local perSecond, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local bucket = redis.call('HMGET', key, 'tokens', 'at')
  local elapsed = math.max(0, now - (tonumber(bucket[2]) or now))
  tokens[i] = math.min(burst, (tonumber(bucket[1]) or burst) + elapsed / 1000 * perSecond)
  if tokens[i] < cost then
    return { i, math.floor(tokens[i]), math.ceil((cost - tokens[i]) / perSecond * 1000) }
  end
end
for i, key in ipairs(KEYS) do
  local perSecond, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local left = tokens[i] - cost
  redis.call('HSET', key, 'tokens', string.format('%.6f', left), 'at', string.format('%.3f', now))
  redis.call('PEXPIRE', key, math.ceil((burst - left) / perSecond * 1000) + 1000)
end
return { 0, math.floor(tokens[1] - cost), 0 }`)

/**
 * Takes tokens out of every bucket, or out of none: as {@link TokenBuckets} does, but for all processes.
 * @returns what is left in the first, or in the one that refused; undefined: this process's own count decides
 */
export async function takeShared(
  counts: SharedCounts,
  buckets: readonly SharedBucket[],
  cost: number,
): Promise<SharedTaken | undefined> {
  const keys = buckets.map(({ key }) => key)
  const rates = buckets.flatMap(({ rate }) => [rate.perSecond, rate.burst])
  const answer = await counts.run(TAKE, keys, [cost, ...rates])
  if (answer === undefined) return undefined
  const [refused, left, waitMs] = answer as [number, number, number]
  return refused === 0
    ? { isAllowed: true, left, waitMs: 0 }
    : { isAllowed: false, left, waitMs, refusedBy: refused - 1 }
}
