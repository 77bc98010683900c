import { expect, test } from 'bun:test'
import { admit, type Caller } from '../../src/auth/caller.ts'
import { SubscriberSlots } from '../../src/hub/subscriber-slots.ts'
import { noteAddress } from '../../src/limits/address.ts'
import { clientOf } from '../../src/limits/client.ts'
import { RateLimit } from '../../src/limits/rate-limit.ts'
import { Semaphore } from '../../src/limits/semaphore.ts'
import { SharedUpstreamRate } from '../../src/limits/shared-upstream-rate.ts'
import { UpstreamRate } from '../../src/limits/upstream-rate.ts'

const LOCAL: Caller = { id: 'local', name: 'local', scope: 'admin' }
const TOKEN: Caller = { id: 'token', name: 'owner', scope: 'admin' }
const key = (id: string): Caller => ({ id: `key:${id}`, name: id, scope: 'read' })

function request(from: string, caller?: Caller, headers: Record<string, string> = {}): Request {
  const made = new Request('http://weir.test/', { headers })
  noteAddress(made, { requestIP: () => ({ address: from, family: 'IPv4', port: 1 }) }, [])
  if (caller !== undefined) admit(made, { caller, how: caller.id === 'local' ? 'open' : 'secret' })
  return made
}

function limit(given: string[] = [], rate = { rateLimit: 2, rateBurst: 3 }) {
  let now = 0
  const limited = new RateLimit({ ...rate, given: new Set(given) }, { now: () => now })
  const pass = (ms: number) => {
    now += ms
  }
  const refused = async (made: Request, route?: string) =>
    (await limited.take(made, route))?.problem !== undefined
  return { limited, pass, refused }
}

test('what is over the rate is refused, with the time to wait; health checks never are', async () => {
  const { limited, pass, refused } = limit()
  const mine = request('1.2.3.4', key('a'))
  expect(await Promise.all([1, 2, 3].map(() => refused(mine)))).toEqual([false, false, false])
  const answer = await limited.take(mine, '/api/streams')
  expect(answer?.problem?.code).toBe('too_many')
  expect(answer?.headers).toEqual({
    'Retry-After': '1',
    'RateLimit-Policy': '"default";q=3;w=2',
    RateLimit: '"default";r=0;t=2',
  })
  expect(await limited.take(mine, '/healthz')).toBeUndefined()
  expect(await limited.take(mine, '/readyz')).toBeUndefined()
  expect(await limited.takeAddress(mine, '/readyz', false)).toBeUndefined()
  // Another key counts on its own, though it comes from the same address.
  expect(await refused(request('1.2.3.4', key('b')))).toBe(false)
  pass(499)
  expect(await refused(mine)).toBe(true)
  pass(1)
  expect(await refused(mine)).toBe(false)
})

test('an asset of the console costs a tenth', async () => {
  const { limited } = limit()
  const mine = request('1.2.3.4', key('a'))
  let allowed = 0
  for (let count = 0; count < 40; count++)
    if ((await limited.take(mine, '/assets/console.js'))?.problem === undefined) allowed++
  // Tenths don't add up exactly.
  expect([29, 30]).toContain(allowed)
})

test('somebody on this machine has no limit unless one is set', async () => {
  const here = request('127.0.0.1', LOCAL)
  const free = limit()
  const set = limit(['RATE_LIMIT'])
  for (let count = 0; count < 3; count++) await set.refused(here)
  expect(await free.limited.take(here, '/')).toBeUndefined()
  expect(await free.limited.takeAddress(here, '/', true)).toBeUndefined()
  expect((await free.limited.takeAddress(here, '/', false))?.problem).toBeUndefined()
  expect(await set.refused(here)).toBe(true)
})

test('a limit of 0 is none', async () => {
  const { limited } = limit([], { rateLimit: 0, rateBurst: 1 })
  expect(await limited.take(request('1.2.3.4', key('a')), '/')).toBeUndefined()
})

test('only Weir’s own workers, who prove it, are nobody’s client', () => {
  const own = { 'X-Weir-Worker': '1' }
  expect(clientOf(request('1.2.3.4', TOKEN, own))).toBeUndefined()
  expect(clientOf(request('1.2.3.4', LOCAL, own))).toBeUndefined()
  expect(clientOf(request('1.2.3.4', key('a'), own))).toEqual({ key: 'key:a', isLocal: false })
  expect(clientOf(request('1.2.3.4', undefined, own))).toEqual({ key: '1.2.3.4', isLocal: false })
  expect(clientOf(request('127.0.0.1', LOCAL))).toEqual({ key: '127.0.0.1', isLocal: true })
})

test('slots of a client, and of all, are counted and given back', () => {
  const slots = new SubscriberSlots({ perClient: 2, inAll: 3, countsLocal: false })
  const [a, b] = [
    { key: 'a', isLocal: false },
    { key: 'b', isLocal: false },
  ]
  const leave = slots.take(a)
  slots.take(a)
  expect(() => slots.take(a)).toThrow('Your limit of 2')
  expect(() => slots.check(a)).toThrow('Your limit of 2')
  slots.take(b)
  expect(() => slots.take(b)).toThrow('The limit of 3')
  leave()
  slots.take({ key: 'c', isLocal: true })
  expect(slots.clients).toBe(2)
})

test('this machine’s subscribers count for all, and for themselves if that is set', () => {
  const here = { key: 'x', isLocal: true }
  const free = new SubscriberSlots({ perClient: 1, inAll: 2, countsLocal: false })
  free.take(here)
  free.take(here)
  expect(() => free.take(here)).toThrow('The limit of 2')
  const counted = new SubscriberSlots({ perClient: 1, inAll: 9, countsLocal: true })
  counted.take(here)
  expect(() => counted.take(here)).toThrow('Your limit of 1')
})

test('a holder that was refused for lack of room has its own count back', async () => {
  const places = new Semaphore({ what: 'exports', atOnce: 1, atOnceEach: 1 })
  const leave = await places.enter('a')
  expect(places.enter('b')).rejects.toThrow('The limit of 1')
  leave()
  leave()
  expect(places.taken).toBe(0)
  const second = await places.enter('b')
  second()
  expect(places.taken).toBe(0)
})

const SETTINGS = { proxyRatePerHost: 1, proxyRate: 3, proxyLingerMs: 60_000, given: new Set<string>() }
const CLIENT = { key: 'a', isLocal: false }

test('without Redis a subscription counts until its polls have stopped, and a refused one not at all', async () => {
  let now = 0
  const rate = new SharedUpstreamRate(new UpstreamRate(SETTINGS, () => now), undefined)
  const target = (path: string, intervalMs = 2_000) => ({
    key: path,
    url: `http://h.test/${path}`,
    intervalMs,
  })
  const leave = await rate.follow(CLIENT, target('a'))
  expect(rate.follow(CLIENT, target('b'))).rejects.toThrow('PROXY_RATE_PER_HOST')
  leave()
  now = 89_999
  expect(rate.follow(CLIENT, target('b'))).rejects.toThrow()
  now = 90_000
  await rate.follow(CLIENT, target('b'))
  // A port, or a dot at the end, is the same host.
  const dotted = { key: 'c', url: 'http://h.test.:81/', intervalMs: 2_000 }
  expect(rate.follow(CLIENT, dotted)).rejects.toThrow()
  expect(rate.follow({ key: 'b', isLocal: false }, dotted)).resolves.toBeFunction()
  rate.close()
})
