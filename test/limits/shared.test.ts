import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { TokenBuckets } from '../../src/limits/buckets.ts'
import { takeShared } from '../../src/limits/shared-buckets.ts'
import { SharedCounts } from '../../src/limits/shared-counts.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const TOKEN = 'a-token-of-sixteen-and-more'
const BURST = 30
const MAX_GUESSES = 10
const setup = SETUPS.find(({ name }) => name === 'Postgres with Redis')
if (setup === undefined) throw new Error('There is no such setup')

describe.skipIf(isSkipped(setup))('two processes on one Redis', () => {
  let services: OpenSetup
  let weirs: readonly [TestWeir, TestWeir]
  let upstream: Bun.Server<undefined>
  let last = 0

  beforeAll(async () => {
    services = await setup.open()
    upstream = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ a: 1 }) })
    const start = () =>
      startTestWeir({
        ...services.environment,
        ROLE: 'web',
        WEIR_TOKEN: TOKEN,
        TRUST_PROXY: '127.0.0.1',
        ALLOW_HOSTS: '127.0.0.1',
        // Hours to get one token back: what is left doesn't depend on how fast the test is.
        RATE_LIMIT: '1',
        RATE_BURST: String(BURST),
        PROXY_RATE_PER_HOST: '1',
        PROXY_RATE: '100',
      })
    const first = await start()
    weirs = [first, await start()]
  })
  afterAll(async () => {
    for (const weir of weirs ?? []) await weir.close()
    await upstream?.stop(true)
    await services?.close()
  })

  /** An address that no other test has used. */
  const stranger = () => `198.51.100.${++last}`
  const ask = (at: 0 | 1, path: string, from: string, init: RequestInit & { secret?: string } = {}) =>
    fetch(weirs[at].url + path, {
      ...init,
      redirect: 'manual',
      headers: { Authorization: `Bearer ${init.secret ?? TOKEN}`, 'X-Forwarded-For': from },
    })
  const statusOf = async (at: 0 | 1, from: string, secret?: string) => {
    const response = await ask(at, '/api/status', from, { ...(secret !== undefined && { secret }) })
    await response.text()
    return response.status
  }
  const preview = (at: 0 | 1, from: string) =>
    ask(at, '/api/streams/preview', from, {
      method: 'POST',
      body: JSON.stringify({ url: upstream.url.href }),
    })

  /** Asks both in turn. `most` is beyond what one bucket allows, of which one token came back each second. */
  async function untilRefused(burst: number, work: (at: 0 | 1) => Promise<Response>) {
    const startedAt = performance.now()
    for (let allowed = 0; ; allowed++) {
      const refused = await work(allowed % 2 ? 1 : 0)
      const most = burst + 2 + Math.floor((performance.now() - startedAt) / 1_000)
      if (refused.status === 429) return { allowed, most, refused }
      expect(refused.status).toBe(200)
      await refused.text()
    }
  }

  test('requests of one client are counted together, and a refusal says when to come back', async () => {
    const from = stranger()
    const { allowed, most, refused } = await untilRefused(BURST, (at) => ask(at, '/api/status', from))
    expect(allowed).toBeWithin(BURST, most)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('ratelimit')).toStartWith('"default";r=0;t=')
    expect(await refused.json()).toMatchObject({ code: 'too_many' })
    expect(await statusOf(1, stranger())).toBe(200)
  })

  test('wrong secrets are counted together', async () => {
    const from = stranger()
    const other = stranger()
    for (let each = 0; each < MAX_GUESSES; each++)
      expect(await statusOf(each % 2 ? 1 : 0, from, `wrong-and-long-enough-${each}`)).toBe(401)
    for (const at of [0, 1] as const) {
      const refused = await ask(at, '/api/status', from)
      expect(refused.status).toBe(429)
      expect(Number(refused.headers.get('retry-after'))).toBeWithin(1, 901)
      const body = new URLSearchParams({ secret: TOKEN })
      expect((await ask(at, '/login', from, { method: 'POST', body, secret: '' })).status).toBe(429)
    }
    expect(await statusOf(0, other)).toBe(200)
    expect(await statusOf(1, other)).toBe(200)
  })

  test('guesses at the same moment at both processes are not all answered', async () => {
    const from = stranger()
    const guesses = Array.from({ length: 2 * MAX_GUESSES }, (_, each) =>
      statusOf(each % 2 ? 1 : 0, from, `another-wrong-secret-${each}`),
    )
    const answered = (await Promise.all(guesses)).filter((status) => status === 401)
    expect(answered).toHaveLength(MAX_GUESSES)
  })

  test('previews are counted together', async () => {
    const from = stranger()
    const { allowed, most, refused } = await untilRefused(5, (at) => preview(at, from))
    expect(allowed).toBeWithin(5, most)
    expect(refused.headers.has('retry-after')).toBe(true)
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('PROXY_RATE_PER_HOST') })
  })

  test('subscriptions are counted together until their polls have stopped', async () => {
    const from = stranger()
    const leaving = new AbortController()
    const subscribe = (at: 0 | 1, name: string) =>
      ask(at, `/proxy/${upstream.url.href}${name}?intervalMs=1500`, from, { signal: leaving.signal })
    const first = await subscribe(0, 'a')
    expect(first.headers.get('content-type')).toStartWith('text/event-stream')
    const refused = await subscribe(1, 'b')
    expect(await refused.text()).toContain('your others use 0.7 of 1 requests per second')
    // Who joins what the client follows elsewhere makes nobody ask more.
    const joined = await subscribe(1, 'a')
    const { value } = await (joined.body as ReadableStream<Uint8Array>).getReader().read()
    expect(new TextDecoder().decode(value)).not.toContain('requests per second')
    leaving.abort()
    expect(await (await subscribeAgain()).text()).toContain('your others use 0.7 of 1')
    async function subscribeAgain() {
      return ask(1, `/proxy/${upstream.url.href}b?intervalMs=1500`, from)
    }
  })

  test('a shared bucket gives and takes like one in memory', async () => {
    const counts = await SharedCounts.open(services.environment.REDIS_URL as string, () => {})
    const rate = { perSecond: 0.001, burst: 3 }
    const own = new TokenBuckets(rate, () => 0)
    for (let each = 0; each < 5; each++) {
      const { refusedBy, waitMs, ...shared } = (await takeShared(counts, [{ key: 'test', rate }], 1)) ?? {}
      const { waitMs: ownWaitMs, ...expected } = own.take('test', 1)
      expect(shared).toEqual(expected)
      expect(Math.abs((waitMs ?? 0) - ownWaitMs)).toBeLessThan(60_000)
      expect(refusedBy).toBe(expected.isAllowed ? undefined : 0)
    }
    const both = [
      { key: 'full', rate },
      { key: 'test', rate },
    ]
    expect(await takeShared(counts, both, 1)).toMatchObject({ isAllowed: false, refusedBy: 1 })
    // Nothing was taken out of the first.
    expect(await takeShared(counts, [{ key: 'full', rate }], 3)).toMatchObject({ isAllowed: true, left: 0 })
    counts.close()
  })

  test('nobody waits for a Redis that hangs, and it counts again once it goes on', async () => {
    const counts = await SharedCounts.open(services.environment.REDIS_URL as string, () => {})
    const rate = { perSecond: 0.001, burst: 1_000 }
    const take = () => takeShared(counts, [{ key: 'hung', rate }], 1)
    expect(await take()).toMatchObject({ isAllowed: true })
    const known = stranger()
    expect(await statusOf(0, known)).toBe(200)
    process.kill(services.redis?.pid as number, 'SIGSTOP')
    try {
      expect([await take(), await take()]).toEqual([undefined, undefined])
      expect(counts.unshared).toBe(2)
      expect(await statusOf(0, known)).toBe(200)
    } finally {
      process.kill(services.redis?.pid as number, 'SIGCONT')
    }
    await until('it counts together again', async () => (await take()) !== undefined)
    await until('so does a Weir', async () => (await statusOf(0, stranger())) === 200)
    counts.close()
  })

  test('without Redis each process counts on its own, and only addresses known to be right sign in', async () => {
    const known = stranger()
    const from = stranger()
    expect(await statusOf(0, known)).toBe(200)
    const isOnItsOwn = (warning: string) => warning.includes('counts its limits on its own')
    const before = weirs[0].warnings.filter(isOnItsOwn).length
    await services.redis?.kill()
    const unshared = async () => {
      const response = await ask(0, '/metrics', known)
      return Number(/^weir_limits_unshared_total (\d+)$/m.exec(await response.text())?.[1])
    }
    await until('the loss of Redis is noticed', async () => (await unshared()) > 0)
    const refused = await ask(0, '/api/status', from)
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ code: 'unavailable' })
    const body = new URLSearchParams({ secret: TOKEN })
    expect((await ask(0, '/login', from, { method: 'POST', body, secret: '' })).status).toBe(503)
    const statuses: number[] = []
    for (let each = 0; each < 3 * BURST && !statuses.includes(429); each++)
      statuses.push(await statusOf(0, known))
    expect(new Set(statuses)).toEqual(new Set([200, 429]))
    expect(weirs[0].warnings.filter(isOnItsOwn)).toHaveLength(before + 1)
    await services.redis?.restart()
    await until('it counts together again', async () => (await statusOf(0, stranger())) === 200)
  })
})
