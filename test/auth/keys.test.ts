import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keys, sessions } from '../../drizzle/schema.ts'
import { forgetAudit, readAudit } from '../../src/auth/audit.ts'
import { LOCAL } from '../../src/auth/caller.ts'
import { type Access, openAccess } from '../../src/auth/open.ts'
import { forgetSessions, SESSION_MS } from '../../src/auth/sessions.ts'
import { openStorage } from '../../src/storage/open.ts'
import type { Storage } from '../../src/storage/storage.ts'

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
function processWith(token: string | undefined = TOKEN): Access {
  const warn = (message: string, error?: unknown) => {
    throw new Error(`${message} ${error}`)
  }
  return openAccess({ db: storage.db, token, now: () => nowMs, warn })
}

const asked = (headers: Record<string, string>) => new Request('http://localhost/api/status', { headers })
const bySecret = (secret: string) => asked({ Authorization: `Bearer ${secret}` })
const byCookie = (session: string) => asked({ Cookie: `other=1; weir-session=${session}` })
const isIn = async ({ door }: Access, request: Request) => (await door.see(request, ADDRESS)).by === 'caller'

test('a key that was revoked by one process lets nobody in at another within five seconds', async () => {
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

test('who has logged out at one process is out at the others, too', async () => {
  const [here, there] = [processWith(), processWith()]
  const { session } = await here.door.logIn(TOKEN, ADDRESS)
  expect(await isIn(there, byCookie(session))).toBe(true)
  await here.door.logOut(byCookie(session))
  nowMs += 5_000
  expect([await isIn(here, byCookie(session)), await isIn(there, byCookie(session))]).toEqual([false, false])
})

test('a session ends with its time, and with the token that it was begun by', async () => {
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

test('the last use is written down once a minute, whoever uses it how often', async () => {
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

test('nothing that is stored lets anybody in', async () => {
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

test('the audit goes with the days that are kept', async () => {
  const access = processWith()
  const note = (route: string) =>
    access.audit.note({
      caller: LOCAL,
      method: 'POST',
      route,
      subject: undefined,
      status: 200,
      address: ADDRESS,
    })
  note('/old')
  await access.close()
  nowMs += 2 * DAY_MS
  for (let at = 0; at < 1_200; at++) note(`/new/${at}`)
  await access.close()
  await forgetAudit(storage.db, nowMs, 1)
  const { items } = await readAudit(storage.db, { limit: 2_000 })
  expect([items.length, items.at(0)?.route, items.at(-1)?.route]).toEqual([1_200, '/new/1199', '/new/0'])
})

test('beyond what may wait, the audit loses the newest and says so', async () => {
  const warnings: string[] = []
  const { db } = storage
  const warn = (message: string) => void warnings.push(message)
  const access = openAccess({ db, token: TOKEN, now: () => nowMs, warn })
  const what = { caller: LOCAL, method: 'POST', subject: undefined, status: 200, address: ADDRESS }
  for (let at = 0; at <= 10_000; at++) access.audit.note({ ...what, route: `/much/${at}` })
  expect(warnings).toEqual([expect.stringContaining('/much/10000')])
  await access.close()
  const { items } = await readAudit(db, { q: '/much/', limit: 20_000 })
  expect(items).toHaveLength(10_000)
})
