import { afterAll, beforeAll, beforeEach, expect, spyOn, test } from 'bun:test'
import { type AddressInfo, createServer, Socket } from 'node:net'
import { sql } from 'drizzle-orm'
import { alarms, incidents, rollups, silences } from '../../drizzle/schema.ts'
import { tryCondition } from '../../src/incidents/evaluation/conditions.ts'
import { isOutside } from '../../src/incidents/evaluation/egress-check.ts'
import { evaluateIncidents, forgetIncidents } from '../../src/incidents/evaluation/evaluate.ts'
import { isDue } from '../../src/incidents/evaluation/rule-evaluation.ts'
import { checkRule } from '../../src/incidents/rule-input.ts'
import { changeRate } from '../../src/incidents/rule-kinds/band.ts'
import { errorRate } from '../../src/incidents/rule-kinds/error-rate.ts'
import { addRule, changeRule, listRules, type Rule } from '../../src/incidents/rules.ts'
import { addSilence, checkSilence, removeSilence, silencing, silentAt } from '../../src/incidents/silences.ts'
import { LOCKS } from '../../src/storage/locks.ts'
import { heardOn } from '../support/bus.ts'
import { openWorld, type World } from './support.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

let world: World

beforeAll(async () => {
  world = await openWorld(undefined)
})
beforeEach(() => world.clear())
afterAll(() => world.close())

const iso = (ms: number) => new Date(ms).toISOString()
const rule = (said: Record<string, unknown>) =>
  addRule(world, checkRule({ name: 'Mine', failureThreshold: 1, successThreshold: 1, ...said }), world.now)

test('a silence ends at its end', () => {
  const silence = { id: '', reason: '', streamId: null, tag: null, createdAt: new Date(0), schedule: null }
  const at = (ms: number) => silentAt({ ...silence, startsAt: new Date(1_000), endsAt: new Date(2_000) }, ms)
  expect([at(999), at(1_000), at(1_999), at(2_000)].map(Boolean)).toEqual([false, true, true, false])
})

test('a silence lasts for a leap year at most', () => {
  const lasting = (ms: number) =>
    checkSilence({ reason: 'x', startsAt: iso(world.now), endsAt: iso(world.now + ms) }, world.now)
  expect(lasting(366 * DAY_MS).endsAt).toEqual(new Date(world.now + 366 * DAY_MS))
  expect(() => lasting(366 * DAY_MS + 1)).toThrow('longer than a year')
})

test('a silence is about its tag or stream only, and only while it lasts', async () => {
  const [id = ''] = await world.add(1, () => 'a.test')
  const [now, later] = [iso(world.now - 1), iso(world.now + MINUTE_MS)]
  const { id: silence } = await addSilence(
    world,
    { reason: 'x', tag: 'shop', startsAt: now, endsAt: later },
    world.now,
  )
  await addSilence(world, { reason: 'x', streamId: id, startsAt: now, endsAt: later }, world.now)
  await addSilence(world, { reason: 'x', startsAt: later, endsAt: iso(world.now + DAY_MS) }, world.now)
  const isSilent = await silencing(world.db, world.now)
  expect(isSilent({ id: 'b', tags: ['shop', 'x'] })).toBe(true)
  expect(isSilent({ id, tags: [] })).toBe(true)
  expect([isSilent({ id: 'b', tags: ['x'] }), isSilent(undefined)]).toEqual([false, false])
  const heard = heardOn(world.bus, 'silence.updated')
  await removeSilence(world, silence)
  expect(heard).toEqual([{ type: 'silence.updated' }])
})

test('five hundred silences and a hundred rules fit', async () => {
  const values = { reason: 'x', startsAt: new Date(world.now), endsAt: new Date(world.now + DAY_MS) }
  const many = (count: number) =>
    Array.from({ length: count }, () => ({ id: Bun.randomUUIDv7(), createdAt: new Date(), ...values }))
  await world.db.insert(silences).values(many(499))
  const ends = iso(world.now + DAY_MS)
  await addSilence(world, { reason: 'x', endsAt: ends }, world.now)
  await expect(addSilence(world, { reason: 'x', endsAt: ends }, world.now)).rejects.toMatchObject({
    code: 'conflict',
  })
  const made = Array.from({ length: 100 }, () => rule({ kind: 'changed', params: {} }))
  await Promise.all(made)
  await expect(rule({ kind: 'changed', params: {} })).rejects.toMatchObject({ code: 'conflict' })
})

test('while another process evaluates, this one doesn’t', async () => {
  const busy = await world.db.transaction(async (tx) => {
    await tx.execute(sql`SELECT pg_advisory_xact_lock(${LOCKS.evaluation})`)
    return evaluateIncidents(world.deps)
  })
  expect(busy).toBe('busy')
  expect(await evaluateIncidents(world.deps)).toBe('looked')
})

test('incidents are forgotten 400 days after they ended, five thousand at a time, and never while open', async () => {
  const at = (days: number) => new Date(world.now - days * DAY_MS)
  const of = (key: string, resolvedAt: Date | null) => ({
    ...{ id: Bun.randomUUIDv7(), key, cause: 'dead' as const, title: key, detail: '', affected: 1 },
    ...{ openedAt: at(500), resolvedAt, evidence: {} },
  })
  const old = Array.from({ length: 5_001 }, (_, n) => of(`old ${n}`, at(400.1)))
  for (let from = 0; from < old.length; from += 2_000)
    await world.db.insert(incidents).values(old.slice(from, from + 2_000) as never)
  await world.db.insert(incidents).values([of('open', null), of('young', at(399.9))] as never)
  const deps = { ...world.deps, now: () => world.now }
  expect(await forgetIncidents(deps)).toBe(5_000)
  expect(await forgetIncidents(deps)).toBe(1)
  expect(await forgetIncidents(deps)).toBe(0)
  expect((await world.incidents()).map(({ key }) => key).sort()).toEqual(['open', 'young'])
})

test.each([
  ['never looked at', { lookedAt: null }, true],
  ['off', { lookedAt: null, isEnabled: false }, false],
  ['58.9 s ago', { lookedAt: new Date(1_000_000 - 58_900) }, false],
  ['59 s ago, as the beat of evaluations drifts', { lookedAt: new Date(1_000_000 - 59_000) }, true],
  ['in the future: the clock was set back', { lookedAt: new Date(1_000_001) }, true],
  ['just now, but tested each time', { lookedAt: new Date(1_000_000), kind: 'condition' }, true],
])('a rule is due: %s', (_what, more, expected) => {
  expect(isDue({ kind: 'errorRate', isEnabled: true, ...more } as Rule, 1_000_000)).toBe(expected)
})

test('one of the check hosts is enough, each at its port', async () => {
  const asked: string[] = []
  const only = (name: string) => async (host: string, port: number) => {
    asked.push(`${host} ${port}`)
    return host === name
  }
  expect(await isOutside(['a.test', 'b.test:8080', '[::1]:53'], only('b.test'))).toBe(true)
  expect(asked).toEqual(['a.test 443', 'b.test 8080', '::1 53'])
  expect(await isOutside(['a.test'], only('b.test'))).toBe(false)
  expect(await isOutside([], only('b.test'))).toBeUndefined()
})

test('a check host gets three seconds', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const waits: (number | undefined)[] = []
  const late = spyOn(Socket.prototype, 'setTimeout').mockImplementation(function (this: Socket, ms, act) {
    waits.push(ms)
    act?.()
    return this
  })
  const { port } = server.address() as AddressInfo
  expect(await isOutside([`127.0.0.1:${port}`])).toBe(false)
  late.mockRestore()
  server.close()
  expect(waits).toEqual([3_000])
})

test('a rate at its limit is fine, few attempts aren’t judged, and a window begins after its first instant', async () => {
  const [id = '', other = ''] = await world.add(2, () => 'a.test', { tags: ['shop'] })
  await world.add(1, () => 'b.test')
  const minute = Math.floor(world.now / MINUTE_MS) * MINUTE_MS
  const looked = async (sums: Partial<typeof rollups.$inferInsert>, minutesAgo = 0) => {
    await world.db.delete(rollups)
    const at = new Date(minute - minutesAgo * MINUTE_MS)
    await world.db.insert(rollups).values({ streamId: id, minute: at, firstSeq: 1, lastSeq: 1, ...sums })
    const scope = { id: other, streamId: null, tag: 'shop', createdAt: new Date(0) }
    const evaluations = errorRate.evaluations(scope, { above: 0.2, windowMs: 5 * MINUTE_MS }, minute)
    const { rows } = (await world.db.execute(evaluations)) as { rows: { id: string; look: string }[] }
    expect(rows).toHaveLength(2)
    return rows.find((row) => row.id === id)?.look
  }
  expect(await looked({ polls: 8, errors: 2 })).toBe('good')
  expect(await looked({ polls: 7, errors: 3 })).toBe('bad')
  expect(await looked({ polls: 6, errors: 3 })).toBe('unknown')
  expect(await looked({ polls: 7, errors: 3 }, 4)).toBe('bad')
  expect(await looked({ polls: 7, errors: 3 }, 5)).toBe('good')
})

test('a value at the end of its range is within it', async () => {
  const [id = ''] = await world.add(1, () => 'a.test')
  const minute = new Date(Math.floor(world.now / MINUTE_MS) * MINUTE_MS)
  const scope = { id, streamId: id, tag: null, createdAt: new Date(0) }
  const looked = async (changed: number) => {
    await world.db.delete(rollups)
    await world.db
      .insert(rollups)
      .values({ streamId: id, minute, firstSeq: 1, lastSeq: 1, polls: 100, compared: 100, changed })
    const evaluations = changeRate.evaluations(scope, { min: 0.25, max: 0.5, windowMs: MINUTE_MS }, world.now)
    return ((await world.db.execute(evaluations)) as { rows: { look: string }[] }).rows[0]?.look
  }
  const looks: unknown[] = []
  for (const changed of [24, 25, 50, 51]) looks.push(await looked(changed))
  expect(looks).toEqual(['bad', 'good', 'good', 'bad'])
})

test('a condition is tested on fifty documents at a time, and nothing is stored about a rule that changed', async () => {
  await world.add(51, () => 'a.test')
  const { id } = await rule({ kind: 'condition', params: { pointer: '/a', op: 'exists' } })
  const [before] = (await listRules(world.db)) as [Extract<Rule, { kind: 'condition' }>]
  world.now += 1_000
  await changeRule(world, id, { params: { pointer: '/b', op: 'exists' } } as never, world.now)
  expect(await tryCondition(world.db, before)).toBe(50)
  expect(await world.db.$count(alarms)).toBe(0)
  const [after] = (await listRules(world.db)) as [Extract<Rule, { kind: 'condition' }>]
  expect(await tryCondition(world.db, after)).toBe(50)
  expect(await tryCondition(world.db, after)).toBe(1)
  expect(await world.db.$count(alarms)).toBe(51)
  await changeRule(world, id, { params: { pointer: '/c', op: 'exists' } } as never, world.now)
  expect(await world.db.$count(alarms)).toBe(0)
})

test('twins and private streams open no incident, and no rule may name one', async () => {
  const [own = ''] = await world.add(1, () => 'a.test')
  const [twin = ''] = await world.add(1, () => 'a.test', { twinOf: own })
  const [hidden = ''] = await world.add(1, () => 'b.test', {
    proxyKey: 'k',
    headers: { 'x-key': 'mine' },
    alwaysOn: true,
  })
  await world.set([own, twin, hidden], 'dead')
  await world.look(4)
  expect((await world.incidents()).map(({ streamId }) => streamId)).toEqual([own])
  await rule({ kind: 'changed', streamId: own, params: {} })
  await expect(rule({ kind: 'changed', streamId: hidden, params: {} })).rejects.toMatchObject({
    code: 'invalid_field',
  })
})
