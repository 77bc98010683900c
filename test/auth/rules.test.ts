import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { keys, sessions } from '../../drizzle/schema.ts'
import { covers } from '../../src/auth/caller.ts'
import { SessionCookie } from '../../src/auth/cookie.ts'
import { openAccess } from '../../src/auth/open.ts'
import { digestOf } from '../../src/auth/secrets.ts'
import type { Scope } from '../../src/core/sets/scopes.ts'
import { SSE_HEADERS } from '../../src/core/sse.ts'
import { Gate } from '../../src/routes/access/gate.ts'
import { nextOf } from '../../src/routes/access/login.tsx'
import { checkOrigin } from '../../src/routes/access/origin.ts'
import { checkVisible } from '../../src/routes/access/visible.ts'
import { withSecurityHeaders } from '../../src/routes/http/security-headers.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { insertStreams, newStream } from '../../src/streams/registry/new-stream.ts'
import { Visibility } from '../../src/streams/registry/visibility.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { newDataDir } from '../support/data-dir.ts'

const NOW = Date.UTC(2026, 4, 1)
const TOKEN = 'a-token-of-sixteen'
const ADDRESS = '192.0.2.1'

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = await newDataDir('weir-rules-')
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})
afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const warn = (message: string) => {
  throw new Error(message)
}
const accessAt = (clock: { now: number }, token: string | undefined = TOKEN, bus = testBus()) =>
  openAccess({ db: storage.db, bus, token, now: () => clock.now, warn })
const callerOf = (scope: Scope, id = 'key:a') => ({ id, name: 'A', scope })

test.each<[Scope, Scope, boolean]>([
  ['read', 'read', true],
  ['read', 'operate', false],
  ['operate', 'read', true],
  ['operate', 'operate', true],
  ['operate', 'admin', false],
  ['admin', 'admin', true],
])('scope %s includes %s: %p', (scope, needed, expected) => {
  expect(covers(scope, needed)).toBe(expected)
})

function gateFor(scope: Scope, how: 'cookie' | 'secret' | 'open', isOpen = false) {
  const door = {
    isOpen,
    mustLookUp: () => false,
    see: async () => ({ by: 'caller', caller: callerOf(scope), how }),
  }
  const audit = { begin: async () => undefined, end() {} }
  const gate = new Gate({
    ...{ door, audit, rateLimit: undefined, proxyOrigins: [], publicUrl: undefined },
  } as never)
  return gate
}

test('a route admits only callers with its scope, and no page of another site', async () => {
  const post = (headers: Record<string, string> = {}) =>
    new Request('http://weir.test/api/streams', {
      method: 'POST',
      headers: { Host: 'weir.test', ...headers },
    })
  await expect(gateFor('read', 'secret').enter(post(), '/api/streams')).rejects.toMatchObject({
    code: 'forbidden_scope',
  })
  await gateFor('operate', 'secret').enter(post(), '/api/streams')
  const foreign = post({ Origin: 'https://evil.test' })
  await expect(gateFor('admin', 'cookie').enter(foreign, '/api/streams')).rejects.toMatchObject({
    code: 'forbidden_origin',
  })
  const rebound = new Request('http://evil.test/api/streams')
  expect(() => gateFor('admin', 'open', true).arrive(rebound)).toThrow('responds only to localhost')
  gateFor('admin', 'open', true).arrive(new Request('http://localhost:3000/api/streams'))
})

test.each([
  ['same-origin', true],
  ['none', true],
  ['same-site', false],
  ['cross-site', false],
])('without an origin, a change from %s is allowed: %p', (site, isAllowed) => {
  const request = new Request('http://weir.test/', { method: 'POST', headers: { 'Sec-Fetch-Site': site } })
  const check = () =>
    checkOrigin(request, { how: 'cookie', isProxy: false }, { proxyOrigins: [], publicUrl: undefined })
  if (isAllowed) check()
  else expect(check).toThrow('other origins')
})

test('a private stream is visible to its owner and admins, on every route of it', async () => {
  const of = (owner: string | null) =>
    newStream({
      url: 'http://a.test/',
      kind: 'poll',
      createdAt: new Date(),
      proxyKey: crypto.randomUUID(),
      headers: { 'x-key': 'mine' },
      owner,
    } as never)
  const [mine, nobodys] = [of('key:a'), of(null)]
  await insertStreams(storage.db, [mine, nobodys])
  const visibility = new Visibility(storage.db)
  const sees = (scope: Scope, id: string, stream: string) =>
    visibility.check(callerOf(scope, id), stream).then(
      () => true,
      () => false,
    )
  expect(await sees('read', 'key:a', mine.id)).toBe(true)
  expect(await sees('operate', 'key:b', mine.id)).toBe(false)
  expect(await sees('operate', 'key:a', nobodys.id)).toBe(false)
  expect(await sees('admin', 'key:b', nobodys.id)).toBe(true)
  const asked: string[] = []
  const noting = { check: async (_caller: unknown, id: string) => void asked.push(id) } as never
  for (const route of ['/api/streams/:id', '/streams/:id/live', '/streams/:id', '/channels/:id'])
    await checkVisible(noting, { request: new Request('http://a.test'), route, params: { id: route } })
  expect(asked).toEqual(['/api/streams/:id', '/streams/:id/live', '/streams/:id'])
})

test('a cookie is for this host, this browser and its requests alone', () => {
  const plain = new SessionCookie({ publicUrl: undefined })
  const request = (url: string) => new Request(url)
  expect(plain.setting(request('http://a.test'), 'x', 604_800_000)).toBe(
    'weir-session=x; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax',
  )
  expect(plain.setting(request('https://a.test'), 'x', 1_000)).toEndWith('; Secure')
  const secure = new SessionCookie({ publicUrl: 'https://a.test' })
  expect(secure.setting(request('http://a.test'), 'x', 1_000)).toStartWith('__Host-weir-session=x;')
})

test.each([
  ['/streams?q=1#a', '/streams?q=1#a'],
  ['//evil.test', '/'],
  ['/.//evil.test', '/'],
  ['/\\evil.test', '/'],
  ['https://evil.test', '/'],
  ['/logout', '/'],
])('after signing in, %s leads to %s', (asked, expected) => {
  expect(nextOf(asked)).toBe(expected)
})

test('a key ends at its end, and a session with its key, its token or its time', async () => {
  const clock = { now: NOW }
  const access = accessAt(clock)
  const { key, secret } = await access.keys.add(
    { name: 'A', scope: 'read', expiresAt: new Date(NOW + 1_000) },
    'a',
  )
  expect(await access.keys.find(secret, ADDRESS)).toBeDefined()
  const { session } = await access.door.logIn(secret, ADDRESS)
  const { session: owned } = await access.door.logIn(TOKEN, ADDRESS)
  const [stored] = await storage.db.select().from(sessions)
  expect(JSON.stringify(stored)).not.toContain(session)
  const isIn = async (value: string, by = access) => {
    const request = new Request('http://a.test', { headers: { Cookie: `weir-session=${value}` } })
    return (await by.door.see(request, ADDRESS)).by === 'caller'
  }
  expect(
    await Promise.all([isIn(session), isIn(owned), isIn(owned, accessAt(clock, 'another-token-of-it'))]),
  ).toEqual([true, true, false])
  clock.now += 1_000
  expect(await access.keys.find(secret, ADDRESS)).toBeUndefined()
  expect([await isIn(session), await isIn(owned)]).toEqual([false, true])
  clock.now = NOW + 604_800_000
  expect(await isIn(owned)).toBe(false)
  expect(key.id).toBeDefined()
})

test('a revocation is told, stays as it was, and ends the sessions of the key', async () => {
  const clock = { now: NOW }
  const bus = testBus()
  const access = accessAt(clock, TOKEN, bus)
  const { key, secret } = await access.keys.add({ name: 'B', scope: 'read' }, 'a')
  const { session } = await access.door.logIn(secret, ADDRESS)
  const sessionsOf = openSessions(clock)
  expect(await sessionsOf([digestOf(session)])).toEqual([digestOf(session)])
  const heard = heardOn(bus, 'key.updated')
  await access.keys.revoke(key.id)
  expect(heard).toHaveLength(1)
  clock.now += 5_000
  await access.keys.revoke(key.id)
  expect((await access.keys.view(key.id)).revokedAt).toEqual(new Date(NOW))
  expect(await sessionsOf([digestOf(session)])).toEqual([])
})

/** Which sessions another process would keep, by digest. */
function openSessions(clock: { now: number }) {
  const ended: string[] = []
  return async (digests: string[]) => {
    ended.length = 0
    const subscribers = {
      credentials: digests.map((each) => `session:${each}`),
      endCredential: (each: string) => void ended.push(each),
    }
    const bus = testBus()
    const own = openAccess({
      ...{ db: storage.db, bus, token: TOKEN, now: () => clock.now, warn },
      subscribers,
    })
    bus.publish({ type: 'key.updated' })
    await own.close()
    return digests.filter((each) => !ended.includes(`session:${each}`))
  }
}

test('a key is read again three seconds later, and once the line between processes was lost', async () => {
  const clock = { now: NOW }
  const bus = testBus()
  const access = accessAt(clock, TOKEN, bus)
  const { secret } = await access.keys.add({ name: 'C', scope: 'read' }, 'a')
  const isKnown = async () => (await access.keys.find(secret, ADDRESS)) !== undefined
  const revoke = (revokedAt: Date | null) => storage.db.update(keys).set({ revokedAt })
  expect(await isKnown()).toBe(true)
  // As by a process whose messages don't arrive.
  await revoke(new Date(NOW))
  clock.now += 2_999
  expect(await isKnown()).toBe(true)
  clock.now += 1
  expect(await isKnown()).toBe(false)
  await revoke(null)
  bus.publish({ type: 'relay.restored' })
  expect(await isKnown()).toBe(true)
  await revoke(new Date(NOW))
  bus.publish({ type: 'relay.restored' })
  expect(await isKnown()).toBe(false)
})

test('the last use of a key is stored once a minute', async () => {
  const clock = { now: NOW }
  const access = accessAt(clock)
  const { key, secret } = await access.keys.add({ name: 'D', scope: 'read' }, 'a')
  const usedAt = async () => {
    await access.keys.find(secret, ADDRESS)
    await access.keys.close()
    return (await access.keys.view(key.id)).usedAt?.getTime()
  }
  expect(await usedAt()).toBe(NOW)
  clock.now += 59_999
  expect(await usedAt()).toBe(NOW)
  clock.now += 1
  expect(await usedAt()).toBe(NOW + 60_000)
})

test('a key that isn’t valid never becomes the owner of a Weir without a token; made-up ones cost a look-up', async () => {
  const { door } = accessAt({ now: NOW }, undefined as never)
  const none = openAccess({ db: storage.db, bus: testBus(), token: undefined, now: () => NOW, warn })
  const bearer = new Request('http://localhost/', {
    headers: { Authorization: `Bearer weir_${'x'.repeat(43)}` },
  })
  expect((await none.door.see(bearer, ADDRESS)).by).toBe('nobody')
  expect((await none.door.see(new Request('http://localhost/'), ADDRESS)).by).toBe('caller')
  expect(door.mustLookUp(bearer)).toBe(true)
  expect(door.mustLookUp(new Request('http://localhost/'))).toBe(false)
})

test('a proxied event stream, which no browser shows as a page, has none of those headers', () => {
  const stream = new Response('', { headers: SSE_HEADERS })
  expect([...withSecurityHeaders(stream, false, true).headers.keys()].sort()).toEqual(
    Object.keys(SSE_HEADERS)
      .map((name) => name.toLowerCase())
      .sort(),
  )
})

test('no response can be framed or run as a page', () => {
  const { headers } = withSecurityHeaders(new Response('<script>'), true, true)
  expect(headers.get('x-frame-options')).toBe('DENY')
  expect(headers.get('content-security-policy')).toEndWith('; sandbox')
  expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
})
