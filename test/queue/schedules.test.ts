import { expect, test } from 'bun:test'
import type { Job } from 'bullmq'
import { type SQL, sql } from 'drizzle-orm'
import { type ScheduleDeps, scheduleJob } from '../../jobs/schedules.ts'
import { Notifier } from '../../src/channels/notifier.ts'
import { ProxiedStreams } from '../../src/proxy/proxied.ts'
import { testBus } from '../support/bus.ts'
import { testStorage } from '../support/storage.ts'

const own = testStorage()
const DAY_MS = 86_400_000
const now = Date.now()

/** Runs one schedule as its job does, and says which jobs it added. */
async function run(name: string): Promise<string[]> {
  const { db } = own
  const bus = testBus()
  const added: string[] = []
  const ids = (what: string) => (list: readonly { id: string }[]) =>
    void added.push(...list.map(({ id }) => `${what} ${id}`))
  const control = {
    runLater: async (list: readonly string[]) => void added.push(...list.map((id) => `run ${id}`)),
    claims: async () => [],
    free: async () => {},
  }
  const deliveryControl = { deliverLater: ids('deliver'), deliverAgain: ids('deliver') }
  const clock = { db, bus, now: () => now }
  const notifier = new Notifier({ ...clock, control: deliveryControl })
  const deps: ScheduleDeps = {
    ...clock,
    limits: { requestTimeoutMs: 1_000, silenceMs: 60_000 },
    heldRun: () => undefined,
    control,
    deliveryControl,
    archive: { runWhenDue: async () => void added.push('archive') } as unknown as ScheduleDeps['archive'],
    incidents: {
      ...{ ...clock, notifier, url: () => 'http://weir.test' },
      settings: { groupWaitMs: 0, remindMs: 0, egressCheckHosts: [] },
    },
    proxied: new ProxiedStreams({ db, bus, control, mayReach: async () => {} }),
    retention: {
      ...clock,
      warn: (message) => expect(message).toBe(''),
      bounds: { retentionDays: 30, minutesDays: 7 },
      mayDrop: undefined,
    },
    proxyLingerMs: 60_000,
  }
  await scheduleJob(deps)({ name } as Job)
  return added
}

const at = (ms: number) => sql`${new Date(ms).toISOString()}::timestamptz`
const id = () => Bun.randomUUIDv7()
const left = async (query: SQL) => (await own.rows<{ name: string }>(query)).map(({ name }) => name)

test('streams that should run and that nobody runs get their job', async () => {
  const stream = await own.stream()
  expect(await run('reconcile')).toEqual([`run ${stream.id}`])
  await own.db.execute(sql`DELETE FROM weir.streams`)
})

test('statuses that time changes are updated', async () => {
  const stream = await own.stream({ desired: 'stopped' })
  await own.db.execute(sql`UPDATE weir.states SET verdict = 'live'`)
  await run('health')
  expect(await left(sql`SELECT verdict AS name FROM weir.states WHERE stream_id = ${stream.id}`)).toEqual([
    'stopped',
  ])
})

const channel = id()
const delivery = async (what: string, status: string, times: { due?: number; endedAt?: number }) => {
  await own.db.execute(sql`INSERT INTO weir.channels (id, name, kind, config, tags, is_default, created_at, updated_at)
    VALUES (${channel}, 'c', 'webhook', '{}', '{}', true, now(), now()) ON CONFLICT DO NOTHING`)
  const each = id()
  await own.db.execute(sql`INSERT INTO weir.deliveries (id, channel_id, type, message, status, next_attempt_at, created_at, ended_at)
    VALUES (${each}, ${channel}, ${what}, '{}', ${status}, ${times.due === undefined ? sql`NULL` : at(times.due)}, now(),
      ${times.endedAt === undefined ? sql`NULL` : at(times.endedAt)})`)
  return each
}

test('deliveries that are due get their job, and old ones go', async () => {
  const due = await delivery('due', 'pending', { due: now - 60_000 })
  await delivery('later', 'pending', { due: now + 60_000 })
  await delivery('old', 'delivered', { endedAt: now - 31 * DAY_MS })
  await delivery('young', 'delivered', { endedAt: now - 29 * DAY_MS })
  expect(await run('redeliver')).toEqual([`deliver ${due}`])
  await run('forget')
  expect((await left(sql`SELECT type AS name FROM weir.deliveries`)).toSorted()).toEqual([
    'due',
    'later',
    'young',
  ])
})

test('the archive is asked whether it is due', async () => {
  expect(await run('archive')).toEqual(['archive'])
})

test('days are rolled up before old ones are dropped, and the next ones are created', async () => {
  const stream = await own.stream()
  await own.db.execute(sql`INSERT INTO weir.rollups (stream_id, minute, first_seq, last_seq, entries)
    VALUES (${stream.id}, ${at(now - 3 * 3_600_000)}, 1, 1, 1)`)
  const days = () =>
    left(
      sql`SELECT relname AS name FROM pg_class WHERE relname LIKE 'entries\\_2%' AND relkind = 'r' ORDER BY 1`,
    )
  await run('retain')
  expect(
    await left(sql`SELECT DISTINCT step AS name FROM weir.long_rollups WHERE stream_id = ${stream.id}`),
  ).toContain('hour')
  const wanted = [0, 1, 2].map((ahead) =>
    `entries_${new Date(now + ahead * DAY_MS).toISOString().slice(0, 10)}`.replaceAll('-', ''),
  )
  const made = await days()
  for (const day of wanted) expect(made).toContain(day)
})

const incident = (title: string, resolvedAt: number | undefined) =>
  own.db.execute(sql`INSERT INTO weir.incidents (id, key, cause, title, detail, opened_at, resolved_at)
    VALUES (${id()}, ${title}, 'host', ${title}, '', ${at(now - 1_000 * DAY_MS)},
      ${resolvedAt === undefined ? sql`NULL` : at(resolvedAt)})`)

test('incidents that were resolved long ago go, and open ones stay', async () => {
  await incident('ancient', now - 900 * DAY_MS)
  await incident('recent', now - DAY_MS)
  await incident('open', undefined)
  await run('forgetIncidents')
  expect((await left(sql`SELECT title AS name FROM weir.incidents`)).toSorted()).toEqual(['open', 'recent'])
})

test('rules are evaluated', async () => {
  const rule = id()
  await own.db.execute(sql`INSERT INTO weir.rules (id, name, kind, params, failure_threshold, success_threshold, is_enabled,
    created_at, updated_at) VALUES (${rule}, 'r', 'errorRate', '{"above":0.5,"windowMs":60000}', 1, 1, true, now(), now())`)
  await run('incidents')
  const looked = sql`SELECT name FROM weir.rules WHERE looked_at = ${at(now)}`
  expect(await left(looked)).toEqual(['r'])
  await own.db.execute(sql`DELETE FROM weir.rules`)
})

test('sessions that have expired and old audit entries go', async () => {
  for (const [digest, expiresAt] of [
    ['expired', now - 1_000],
    ['valid', now + 60_000],
  ] as const) {
    await own.db.execute(
      sql`INSERT INTO weir.sessions (digest, created_at, expires_at) VALUES (${digest}, now(), ${at(expiresAt)})`,
    )
  }
  for (const [name, days] of [
    ['old', 31],
    ['young', 29],
  ] as const) {
    await own.db.execute(sql`INSERT INTO weir.audit (id, at, caller, name, method, route, status, address)
      VALUES (${id()}, ${at(now - days * DAY_MS)}, 'local', ${name}, 'POST', '/', 200, '')`)
  }
  await run('forgetAccess')
  expect(await left(sql`SELECT digest AS name FROM weir.sessions`)).toEqual(['valid'])
  expect(await left(sql`SELECT name FROM weir.audit`)).toEqual(['young'])
})

test('proxied streams without subscribers for a minute are put to rest, and no others', async () => {
  const streams = await Promise.all(
    [
      { name: 'left', alwaysOn: false, proxyKey: '1' },
      { name: 'used', alwaysOn: false, proxyKey: '2' },
      { name: 'kept', alwaysOn: true, proxyKey: '3' },
      { name: 'stopped', alwaysOn: false, proxyKey: '4', desired: 'stopped' as const },
    ].map((said) => own.stream(said)),
  )
  for (const { id: each, name } of streams) {
    const since = name === 'used' ? now - 59_000 : now - 61_000
    await own.db.execute(sql`UPDATE weir.states SET subscribed_at = ${at(since)} WHERE stream_id = ${each}`)
  }
  await run('rest')
  const rows = await own.rows(
    sql`SELECT name, desired FROM weir.streams WHERE proxy_key IS NOT NULL ORDER BY 1`,
  )
  expect(rows).toEqual([
    { name: 'kept', desired: 'running' },
    { name: 'left', desired: 'idle' },
    { name: 'stopped', desired: 'stopped' },
    { name: 'used', desired: 'running' },
  ])
})
