import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { audit, sessions } from '../../drizzle/schema.ts'
import { Audit, forgetAudit } from '../../src/auth/audit.ts'
import { CredentialWatch } from '../../src/auth/credential-watch.ts'
import { Guesses } from '../../src/auth/guesses.ts'
import { openAccess } from '../../src/auth/open.ts'
import { Remembered } from '../../src/auth/remembered.ts'
import { forgetSessions } from '../../src/auth/sessions.ts'
import { Gate } from '../../src/routes/access/gate.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { testBus } from '../support/bus.ts'
import { newDataDir } from '../support/data-dir.ts'
import { holdTimers } from '../support/timers.ts'
import { until } from '../support/until.ts'

const NOW = Date.UTC(2026, 4, 1)
const HOUR_MS = 3_600_000

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = await newDataDir('weir-auth-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const warn = (message: string) => {
  throw new Error(message)
}
const access = (now = () => NOW) =>
  openAccess({ db: storage.db, bus: testBus(), token: 'a-token-of-sixteen', now, warn })

function deed(route: string, at = NOW, caller = 'key:a') {
  return {
    ...{
      id: Bun.randomUUIDv7('hex', new Date(at)),
      at: new Date(at),
      caller,
      name: 'A',
      method: 'POST',
      route,
    },
    ...{ subject: null, address: '192.0.2.1', status: 200 },
  }
}

const kept = async () => (await storage.db.select().from(audit)).map(({ route }) => route).sort()

test('two thousand values are remembered; the oldest goes first, and nothing that isn’t', async () => {
  const remembered = new Remembered<string>(1_000, () => NOW)
  for (let each = 0; each <= 2_000; each++) await remembered.get(String(each), async () => 'x')
  expect(['0', '1', '2000'].map((name) => remembered.has(name))).toEqual([false, true, true])
  await remembered.get('none', async () => undefined)
  expect([remembered.has('none'), remembered.has('1')]).toEqual([false, true])
})

test('credentials are checked every two seconds; an outage of the database revokes none', async () => {
  using timers = holdTimers()
  const ended: string[] = []
  const warnings: string[] = []
  let isAway = false
  const watch = new CredentialWatch({
    keys: { stillValid: async () => (isAway ? Promise.reject(new Error('away')) : new Set()) },
    sessions: { stillValid: async () => new Set<string>() },
    subscribers: { credentials: ['key:a'], endCredential: (credential) => void ended.push(credential) },
    ...{ bus: testBus(), warn: (message) => void warnings.push(message) },
  })
  const [look] = timers.set()
  expect(look?.ms).toBe(2_000)
  isAway = true
  look?.fire()
  await until('it is told', () => warnings.length === 1)
  expect(ended).toEqual([])
  isAway = false
  look?.fire()
  await until('it is ended', () => ended.length > 0)
  expect(ended).toEqual(['key:a'])
  await watch.close()
  expect(timers.set()).toEqual([])
})

test('a change that can’t be recorded isn’t admitted', async () => {
  const caller = { id: 'key:a', name: 'A', scope: 'admin' } as const
  const door = {
    isOpen: false,
    mustLookUp: () => false,
    see: async () => ({ by: 'caller', caller, how: 'secret' }),
  }
  const refusing = { begin: () => Promise.reject(new Error('not recorded')) }
  const gate = new Gate({
    ...{
      door: door as never,
      audit: refusing as never,
      rateLimit: undefined,
      proxyOrigins: [],
      publicUrl: undefined,
    },
  })
  const request = () => new Request('http://weir.test/api/streams', { method: 'POST' })
  await expect(gate.enter(request(), '/api/streams')).rejects.toThrow('not recorded')
})

test('of requests that wait to be recorded, ten thousand fit', async () => {
  const hanging = { insert: () => ({ values: () => new Promise(() => {}) }) }
  const waiting = new Audit({ db: hanging as unknown as Database, now: () => NOW, warn })
  const caller = { id: 'key:a', name: 'A', scope: 'admin' } as const
  const begin = (at: number) =>
    waiting.begin({ caller, method: 'POST', route: `/${at}`, subject: undefined, address: '' })
  const first = begin(0)
  await Promise.resolve()
  for (let each = 1; each <= 10_000; each++) void begin(each)
  await expect(begin(10_001)).rejects.toMatchObject({ code: 'unavailable' })
  expect(Bun.peek.status(first)).toBe('pending')
})

test('telemetry is recorded once a minute', async () => {
  await storage.db.delete(audit)
  let now = NOW
  const recording = new Audit({ db: storage.db, now: () => now, warn })
  const caller = { id: 'key:a', name: 'A', scope: 'admin' } as const
  const begin = () =>
    recording.begin({ caller, method: 'POST', route: '/v1/traces', subject: undefined, address: '' })
  expect(await begin()).toBeDefined()
  now += 59_999
  expect(await begin()).toBeUndefined()
  now += 1
  expect(await begin()).toBeDefined()
})

test('audit records are kept for whole days, so many of a caller, and so many in all', async () => {
  await storage.db.delete(audit)
  await storage.db
    .insert(audit)
    .values([
      ...[deed('/old', NOW - 49 * HOUR_MS), deed('/young', NOW - 47 * HOUR_MS)],
      ...['/1', '/2', '/3'].map((route, at) => deed(route, NOW - HOUR_MS + at)),
      ...['/b1', '/b2'].map((route, at) => deed(route, NOW - HOUR_MS + 10 + at, 'key:b')),
    ])
  await forgetAudit(storage.db, NOW, 2)
  expect(await kept()).toEqual(['/1', '/2', '/3', '/b1', '/b2', '/young'])
  await forgetAudit(storage.db, NOW, 2, { ofCaller: 3, inAll: 100 })
  expect(await kept()).toEqual(['/1', '/2', '/3', '/b1', '/b2'])
  await forgetAudit(storage.db, NOW, 2, { ofCaller: 3, inAll: 4 })
  expect(await kept()).toEqual(['/2', '/3', '/b1', '/b2'])
})

test('a browser stays signed in for seven days, and only ended sessions are removed', async () => {
  const { door, close } = access()
  await door.logIn('a-token-of-sixteen', '192.0.2.1')
  const [session] = await storage.db.select().from(sessions)
  expect(session?.expiresAt).toEqual(new Date(NOW + 604_800_000))
  await forgetSessions(storage.db, NOW + 604_799_999)
  expect(await storage.db.$count(sessions)).toBe(1)
  await forgetSessions(storage.db, NOW + 604_800_000)
  expect(await storage.db.$count(sessions)).toBe(0)
  await close()
})

test('five hundred keys may be valid at a time', async () => {
  await storage.db.execute(sql`INSERT INTO weir.keys (id, name, scope, digest, prefix, created_at, created_by)
    SELECT gen_random_uuid(), 'key ' || n, 'read', 'digest ' || n, 'weir_', now(), 'a' FROM generate_series(1, 499) AS n`)
  const { keys, close } = access()
  const { key } = await keys.add({ name: 'last', scope: 'read' }, 'a')
  expect(key).not.toHaveProperty('digest')
  await expect(keys.add({ name: 'more', scope: 'read' }, 'a')).rejects.toMatchObject({ code: 'too_many' })
  await keys.revoke(key.id)
  await keys.add({ name: 'instead', scope: 'read' }, 'a')
  await close()
})

test('ten different wrong secrets, then a quarter of an hour; the same one counts once, and addresses are bounded', async () => {
  let now = NOW
  const guesses = new Guesses({ now: () => now, pepper: 'x' })
  for (let each = 0; each < 100; each++) await guesses.count('192.0.2.1', 'the same', false)
  expect(guesses.waitMs('192.0.2.1')).toBe(0)
  for (let each = 0; each < 9; each++) await guesses.count('192.0.2.1', `other ${each}`, false)
  expect(guesses.waitMs('192.0.2.1')).toBe(900_000)
  now += 899_999
  expect(guesses.waitMs('192.0.2.1')).toBe(1)
  now += 1
  expect(guesses.waitMs('192.0.2.1')).toBe(0)
  for (let each = 0; each < 10; each++) await guesses.count('198.51.100.1', `other ${each}`, false)
  for (let each = 0; each < 10_000; each++) await guesses.count(`10.0.${each >> 8}.${each & 255}`, 'x', false)
  expect(guesses.waitMs('198.51.100.1')).toBe(0)
})
