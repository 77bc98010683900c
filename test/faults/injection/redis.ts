import { Redis } from 'ioredis'

/** A port where no Redis is. */
const NOBODY = ['127.0.0.1', '1'] as const

/** Loses everything at once. */
export function flush(url: string): Promise<void> {
  return within(url, async (redis) => void (await redis.flushall()))
}

/** Makes it a replica of a server that isn't there: it answers, and refuses to write. */
export function follow(url: string, forMs: number): Promise<void> {
  return within(url, async (redis) => {
    await redis.replicaof(...NOBODY)
    await Bun.sleep(forMs)
    await redis.replicaof('NO', 'ONE')
  })
}

/** Leaves it no memory: whatever would need some is refused. */
export function fill(url: string, forMs: number): Promise<void> {
  return within(url, async (redis) => {
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
    await redis.config('SET', 'maxmemory', '1')
    await Bun.sleep(forMs)
    await redis.config('SET', 'maxmemory', '0')
  })
}

async function within(url: string, deed: (redis: Redis) => Promise<void>): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true })
  redis.on('error', () => {})
  try {
    await redis.connect()
    await deed(redis)
  } finally {
    redis.disconnect()
  }
}
