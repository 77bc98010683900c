import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAccess } from '../../src/auth/open.ts'
import { Remembered } from '../../src/auth/remembered.ts'
import { newKey } from '../../src/auth/secrets.ts'
import { parseConfig } from '../../src/config/config.ts'
import { Hub } from '../../src/hub/hub.ts'
import { noteAddress } from '../../src/limits/address.ts'
import { RateLimit } from '../../src/limits/rate-limit.ts'
import { Gate, Refused } from '../../src/routes/access/gate.ts'
import type { Database, Storage } from '../../src/storage/storage.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const TOKEN = 'a-secret-of-sixteen'
const BURST = 5

let directory: string
let storage: Storage

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

const warn = (message: string, error?: unknown) => {
  throw new Error(`${message} ${error}`)
}
const accessTo = (db: Database, subscribers?: Hub, checkEveryMs?: number) =>
  openAccess({ db, bus: testBus(), token: TOKEN, now: Date.now, warn, subscribers, checkEveryMs })
const random = (bytes: Uint8Array) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)

/** The database, and how often something was read from it. */
function counted(db: Database): { db: Database; reads(): number } {
  let count = 0
  const get = (target: Database, name: keyof Database) => {
    if (name === 'select') count++
    const value = target[name] as unknown
    return typeof value === 'function' ? value.bind(target) : value
  }
  return { db: new Proxy(db, { get: get as ProxyHandler<Database>['get'] }), reads: () => count }
}

function gateOver(db: Database) {
  const access = accessTo(db)
  const config = parseConfig({ WEIR_TOKEN: TOKEN, RATE_LIMIT: '1', RATE_BURST: String(BURST) })
  // A clock that stands: what was spent doesn't come back while the test runs.
  const rateLimit = new RateLimit(config, { now: () => 0 })
  const gate = new Gate({ ...access, rateLimit, proxyOrigins: [], publicUrl: undefined })
  const enter = async (headers: Record<string, string>, address: string) => {
    const request = new Request('http://localhost/api/streams', { headers })
    noteAddress(request, { requestIP: () => ({ address, port: 1, family: 'IPv4' }) }, [])
    try {
      await gate.enter(request, '/api/streams')
      return 200
    } catch (error) {
      return error instanceof Refused ? error.response.status : error
    }
  }
  return { access, enter }
}

const bearer = (secret: string) => ({ Authorization: `Bearer ${secret}` })
const inventedSession = () => ({ Cookie: `weir-session=${newKey(random).slice('weir_'.length)}` })

test.each([
  ['keys', () => bearer(newKey(random))],
  ['sessions', inventedSession],
])('invented %s cause no database queries beyond the limit of their address', async (_, invented) => {
  const { db, reads } = counted(storage.db)
  const { access, enter } = gateOver(db)
  const { secret } = await access.keys.add({ name: 'Known', scope: 'read' }, 'owner')
  const late = await access.keys.add({ name: 'Late', scope: 'read' }, 'owner')
  expect(await enter(bearer(secret), '192.0.2.1')).toBe(200)
  const before = reads()
  const statuses = []
  for (let at = 0; at < 10 * BURST; at++) statuses.push(await enter(invented(), '192.0.2.2'))
  expect(statuses.filter((status) => status === 401)).toHaveLength(BURST)
  expect(statuses.filter((status) => status === 429)).toHaveLength(9 * BURST)
  expect(reads() - before).toBe(BURST)
  // A key that was seen to be one is let in from there all the same, and one that wasn't from elsewhere.
  expect(await enter(bearer(secret), '192.0.2.2')).toBe(200)
  expect(await enter(bearer(late.secret), '192.0.2.3')).toBe(200)
  await access.close()
})

test('made-up names evict nothing from the cache', async () => {
  const known = new Remembered<string>(1_000, () => 0)
  let reads = 0
  const read = async () => {
    reads++
    return 'there'
  }
  await known.get('valid', read)
  await Promise.all(
    Array.from({ length: 5_000 }, (_, at) => known.get(`made-up-${at}`, async () => undefined)),
  )
  expect(await known.get('valid', read)).toBe('there')
  expect([reads, known.has('made-up-1')]).toEqual([1, false])
})

test('a value evicted while it was read isn’t cached', async () => {
  const known = new Remembered<string>(1_000, () => 0)
  const reading = Promise.withResolvers<string>()
  const first = known.get('key', () => reading.promise)
  known.forget()
  reading.resolve('before it was revoked')
  await first
  expect(await known.get('key', async () => undefined)).toBeUndefined()
})

async function subscription(hub: Hub, credential: string) {
  const { signal } = new AbortController()
  const body = hub.subscribe('topic', { signal, credential }).body as ReadableStream<Uint8Array>
  const reader = body.getReader()
  await reader.read()
  const ended = (async () => {
    for (;;) if ((await reader.read()).done) return
  })()
  return { ended }
}

test('a key revoked by one process ends its event streams in another, and only those', async () => {
  const hub = new Hub()
  const [here, there] = [accessTo(storage.db), accessTo(storage.db, hub)]
  const { key } = await here.keys.add({ name: 'A', scope: 'read' }, 'owner')
  const other = await here.keys.add({ name: 'B', scope: 'read' }, 'owner')
  const revoked = await subscription(hub, `key:${key.id}`)
  await subscription(hub, `key:${other.key.id}`)
  await here.keys.revoke(key.id)
  await revoked.ended
  expect(hub.counts).toEqual({ open: 1, left: 0, slow: 0, failed: 0, revoked: 1 })
  expect(hub.credentials).toEqual([`key:${other.key.id}`])
  await there.close()
  hub.close()
})

test('in the process that revokes it, a key ends its event streams at once', async () => {
  const hub = new Hub()
  const here = accessTo(storage.db, hub, 2 ** 31 - 1)
  const { key } = await here.keys.add({ name: 'D', scope: 'read' }, 'owner')
  const revoked = await subscription(hub, `key:${key.id}`)
  await here.keys.revoke(key.id)
  await revoked.ended
  const { session } = await here.door.logIn(TOKEN, '192.0.2.1')
  const request = new Request('http://localhost/', { headers: { Cookie: `weir-session=${session}` } })
  const known = await here.door.see(request, '192.0.2.1')
  const loggedOut = await subscription(hub, (known.by === 'caller' && known.credential) || '')
  await here.door.logOut(request)
  await loggedOut.ended
  await here.close()
  hub.close()
})

test('a session ends its event streams when its key is revoked, and on sign-out', async () => {
  const hub = new Hub()
  const [here, there] = [accessTo(storage.db), accessTo(storage.db, hub)]
  const { key, secret } = await here.keys.add({ name: 'C', scope: 'read' }, 'owner')
  const seen = async (session: string) => {
    const request = new Request('http://localhost/', { headers: { Cookie: `weir-session=${session}` } })
    const known = await there.door.see(request, '192.0.2.1')
    return { request, credential: known.by === 'caller' ? (known.credential ?? '') : '' }
  }
  const [byKey, byToken] = await Promise.all(
    [secret, TOKEN].map((each) => here.door.logIn(each, '192.0.2.1')),
  )
  const [one, two] = await Promise.all([byKey, byToken].map((each) => seen(each?.session ?? '')))
  const streams = await Promise.all([one, two].map((each) => subscription(hub, each?.credential ?? '')))
  await here.keys.revoke(key.id)
  await streams[0]?.ended
  expect(hub.counts.open).toBe(1)
  await here.door.logOut(two?.request as Request)
  await streams[1]?.ended
  expect(hub.counts).toMatchObject({ open: 0, revoked: 2 })
  await there.close()
  hub.close()
})
