import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keys, sessions } from '../../drizzle/schema.ts'
import { type Deed, forgetAudit, readAudit, UNANSWERED } from '../../src/auth/audit.ts'
import { type Caller, LOCAL } from '../../src/auth/caller.ts'
import { type Access, openAccess } from '../../src/auth/open.ts'
import { forgetSessions, SESSION_MS } from '../../src/auth/sessions.ts'
import type { WeirEvent } from '../../src/bus/events.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { testBus } from '../support/bus.ts'
import { openStorage } from '../support/data-dir.ts'

const TOKEN = 'a-secret-of-sixteen'
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const ADDRESS = '192.0.2.1'

let directory: string
let storage: Storage
let nowMs = Date.parse('2026-05-01T00:00:00Z')

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
})

afterAll(async () => {
  await storage.close()
  rmSync(directory, { recursive: true, force: true })
})

/** As each process has it, over the database that all share. */
function processWith(token: string | undefined = TOKEN, bus = testBus()): Access {
  const warn = (message: string, error?: unknown) => {
    throw new Error(`${message} ${error}`)
  }
  return openAccess({ db: storage.db, bus, token, now: () => nowMs, warn })
}

const asked = (headers: Record<string, string>) => new Request('http://localhost/api/status', { headers })
const bySecret = (secret: string) => asked({ Authorization: `Bearer ${secret}` })
const byCookie = (session: string) => asked({ Cookie: `other=1; weir-session=${session}` })
const isIn = async ({ door }: Access, request: Request) => (await door.see(request, ADDRESS)).by === 'caller'

test('a key revoked by one process is rejected by others within five seconds', async () => {
  const [here, there] = [processWith(), processWith()]
  const { key, secret } = await here.keys.add({ name: 'A', scope: 'read' }, 'owner')
  const { session } = await there.door.logIn(secret, ADDRESS)
  for (const request of [bySecret(secret), byCookie(session)]) expect(await isIn(there, request)).toBe(true)
  await here.keys.revoke(key.id)
  for (const request of [bySecret(secret), byCookie(session)]) expect(await isIn(here, request)).toBe(false)
  nowMs += 5_000
  for (const request of [bySecret(secret), byCookie(session)]) expect(await isIn(there, request)).toBe(false)
  await here.close()
  await there.close()
})

const elsewhere: readonly WeirEvent[][] = [
  [{ type: 'key.updated' }, { type: 'session.ended' }],
  // Lost, and noticed.
  [{ type: 'relay.restored' }],
]
test.each(elsewhere.map((events) => ({ events })))(
  'a revoked key and an ended session are refused at once where processes hear each other: %p',
  async ({ events }) => {
    const bus = testBus()
    const [here, there] = [processWith(), processWith(TOKEN, bus)]
    const { key, secret } = await here.keys.add({ name: 'A', scope: 'read' }, 'owner')
    const { session } = await here.door.logIn(TOKEN, ADDRESS)
    for (const request of [bySecret(secret), byCookie(session)]) expect(await isIn(there, request)).toBe(true)
    await here.keys.revoke(key.id)
    await here.door.logOut(byCookie(session))
    // Not told yet, and told so lately that it still goes by what it knows.
    for (const request of [bySecret(secret), byCookie(session)]) expect(await isIn(there, request)).toBe(true)
    for (const event of events) bus.publish(event, 'elsewhere')
    for (const request of [bySecret(secret), byCookie(session)])
      expect(await isIn(there, request)).toBe(false)
    await Promise.all([here.close(), there.close()])
  },
)

test('signing out at one process applies to all others', async () => {
  const [here, there] = [processWith(), processWith()]
  const { session } = await here.door.logIn(TOKEN, ADDRESS)
  expect(await isIn(there, byCookie(session))).toBe(true)
  await here.door.logOut(byCookie(session))
  nowMs += 5_000
  expect([await isIn(here, byCookie(session)), await isIn(there, byCookie(session))]).toEqual([false, false])
})

test('a session ends when it expires, and when its token changes', async () => {
  const before = processWith()
  const { session } = await before.door.logIn(TOKEN, ADDRESS)
  expect(await isIn(processWith('another-secret-of-it'), byCookie(session))).toBe(false)
  expect(await isIn(processWith(), byCookie(session))).toBe(true)
  nowMs += SESSION_MS
  expect(await isIn(before, byCookie(session))).toBe(false)
  await forgetSessions(storage.db, nowMs)
  nowMs -= SESSION_MS
  expect(await isIn(processWith(), byCookie(session))).toBe(false)
})

test('the last use is stored once a minute, however often a key is used', async () => {
  const access = processWith()
  const { key, secret } = await access.keys.add({ name: 'B', scope: 'read' }, 'owner')
  const firstMs = nowMs
  const use = async (address: string) => {
    for (let at = 0; at < 3; at++) await access.door.see(bySecret(secret), address)
    await access.keys.close()
    const { usedAt, usedFrom } = await access.keys.view(key.id)
    return [usedAt?.getTime(), usedFrom]
  }
  expect(await use(ADDRESS)).toEqual([firstMs, ADDRESS])
  nowMs += MINUTE_MS - 1
  expect(await use('192.0.2.2')).toEqual([firstMs, ADDRESS])
  nowMs += 1
  expect(await use('192.0.2.2')).toEqual([nowMs, '192.0.2.2'])
})

test('nothing in the database grants access', async () => {
  const access = processWith()
  const { secret } = await access.keys.add({ name: 'C', scope: 'admin' }, 'owner')
  const { session } = await access.door.logIn(TOKEN, ADDRESS)
  await access.close()
  const text = JSON.stringify([
    await storage.db.select().from(keys),
    await storage.db.select().from(sessions),
  ])
  expect(text).toContain('"name":"C"')
  for (const hidden of [secret, session, TOKEN]) expect(text).not.toContain(hidden)
})

const doing = (route: string, caller: Caller = LOCAL) => ({
  ...{ caller, method: 'POST', route, subject: undefined, address: ADDRESS },
})

async function record(access: Access, routes: readonly string[], caller?: Caller): Promise<void> {
  const deeds = await Promise.all(routes.map((route) => access.audit.begin(doing(route, caller))))
  for (const deed of deeds)
    if (deed !== undefined) access.audit.end(deed, { status: 200, subject: undefined })
  await access.audit.settled()
}

test('audit records are dropped after the retention period', async () => {
  const access = processWith()
  await record(access, ['/old'])
  nowMs += 2 * DAY_MS
  const routes = Array.from({ length: 1_200 }, (_, at) => `/new/${at}`)
  await record(access, routes)
  await access.close()
  await forgetAudit(storage.db, nowMs, 1)
  const { items } = await readAudit(storage.db, { limit: 2_000 })
  expect([items.length, items.at(0)?.route, items.at(-1)?.route]).toEqual([1_200, '/new/1199', '/new/0'])
  expect(new Set(items.map(({ status }) => status))).toEqual(new Set([200]))
})

test('a busy caller crowds out only its own audit records', async () => {
  const access = processWith()
  const [busy, quiet] = ['key:busy', 'key:quiet'].map((id): Caller => ({ id, name: id, scope: 'operate' }))
  await record(access, ['/quiet'], quiet)
  const routes = Array.from({ length: 30 }, (_, at) => `/busy/${at}`)
  await record(access, routes, busy)
  await forgetAudit(storage.db, nowMs, 1, { ofCaller: 10, inAll: 100_000 })
  const kept = async (caller: string) =>
    (await readAudit(storage.db, { caller, limit: 100 })).items.map(({ route }) => route)
  expect(await kept('key:quiet')).toEqual(['/quiet'])
  expect(await kept('key:busy')).toEqual(routes.slice(-10).reverse())
})

test('changes that can’t be recorded are refused beforehand, also when too many records wait', async () => {
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const closed = await openStorage({ databaseUrl: undefined, dataDir: join(directory, 'closed') })
  const { audit } = openAccess({ db: closed.db, bus: testBus(), token: TOKEN, now: () => nowMs, warn })
  await closed.close()
  expect(await audit.begin(doing('/a')).catch((error) => error.code)).toBe('unavailable')
  expect(warnings).toEqual([expect.stringContaining('Refused a change because the audit log')])
  const flood = Array.from({ length: 10_001 }, () => audit.begin(doing('/b')).catch((error) => error.code))
  expect(await flood[10_000]).toBe('unavailable')
  await Promise.all(flood)
})

test('the audit record exists before the change, and is removed if the change is refused', async () => {
  const access = processWith()
  const begun = (await access.audit.begin(doing('/before'))) as Deed
  const rows = async () => (await readAudit(storage.db, { q: '/before', limit: 10 })).items
  expect(await rows()).toEqual([expect.objectContaining({ status: UNANSWERED, subject: null })])
  access.audit.end(begun, { status: 201, subject: 'made' })
  const refused = (await access.audit.begin(doing('/before'))) as Deed
  access.audit.end(refused, { status: 422, subject: undefined })
  await access.close()
  expect(await rows()).toEqual([expect.objectContaining({ id: begun.id, status: 201, subject: 'made' })])
})
