import type { Finding } from '../core/findings.ts'

const CHECK = 'Redis'
/** Timeout for connecting and for a response, in milliseconds. */
const ANSWER_MS = 5_000

/** Checks the Redis of `REDIS_URL`: whether it responds, and that it doesn't evict jobs. */
export async function checkRedis(url: string): Promise<Finding> {
  const { Redis } = await import('ioredis')
  const options = { lazyConnect: true, connectTimeout: ANSWER_MS, commandTimeout: ANSWER_MS }
  const redis = new Redis(url, { ...options, maxRetriesPerRequest: 0, retryStrategy: () => null })
  // The cause is in the error that a command throws, or here.
  let failure = ''
  redis.on('error', ({ message, code }: NodeJS.ErrnoException) => {
    failure = message || String(code)
  })
  const { host } = new URL(url)
  try {
    await redis.connect()
    const startedAt = performance.now()
    const info = await redis.info()
    const queryMs = Math.round((performance.now() - startedAt) * 100) / 100
    const of = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
    const found = `${host} runs Redis ${of('redis_version')} and responds in ${queryMs} ms.`
    const policy = of('maxmemory_policy')
    const finding = { check: CHECK, measured: { queryMs } }
    if (policy === undefined || policy === 'noeviction') return { ...finding, status: 'ok', detail: found }
    const advice = `${found} It may delete jobs (maxmemory-policy ${policy}): set it to noeviction.`
    return { ...finding, status: 'warning', detail: advice }
  } catch (error) {
    const why = failure || (error as Error).message
    return { check: CHECK, status: 'error', detail: `Can't use ${host} (${why}). Check REDIS_URL.` }
  } finally {
    redis.disconnect()
  }
}
