import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { incidentEvents, incidents, longRollups, rollups, streams, workers } from '../../drizzle/schema.ts'
import { open } from '../../src/incidents/evaluation/apply.ts'
import { dueReminders, dueToOpen } from '../../src/incidents/evaluation/due.ts'
import { type EvaluationDeps, evaluateIncidents } from '../../src/incidents/evaluation/evaluate.ts'
import { tell } from '../../src/incidents/notify.ts'
import { size } from '../../src/incidents/rule-kinds/band.ts'
import { LOOK_MS, openWorld, REMIND_MS, type World } from './support.ts'

const HOUR_MS = 3_600_000
const WEEK_MS = 7 * 24 * HOUR_MS

let world: World

beforeAll(async () => {
  world = await openWorld(undefined)
})
beforeEach(() => world.clear())
afterAll(() => world.close())

const never = () => false

/** Stores an incident of a dead stream that is open for long. */
async function incident(
  streamId: string,
  more: Partial<typeof incidents.$inferInsert> = {},
): Promise<string> {
  const id = Bun.randomUUIDv7()
  await world.db.insert(incidents).values({
    ...{
      id,
      key: `verdict:${streamId}`,
      cause: 'dead',
      title: 'A is dead',
      detail: '',
      streamId,
      host: 'a.test',
    },
    ...{ affected: 1, evidence: {}, openedAt: new Date(world.now - HOUR_MS), ...more },
  } as never)
  return id
}

/** What this process sends if another one does something after it has planned. */
async function meanwhile(happens: () => Promise<unknown>): Promise<number> {
  const { notifier } = world.deps
  const racing = {
    responsible: async (ids: readonly string[]) => {
      await happens()
      return notifier.responsible(ids)
    },
    store: notifier.store.bind(notifier),
    deliver: () => {},
  }
  await tell({ ...world.deps, notifier: racing } as EvaluationDeps, [], true)
  return (await world.told()).length
}

test('an incident waits for the host that may explain it: a minute once released, two without a sign of life', async () => {
  const [id = ''] = await world.add(1, () => 'a.test')
  const due = async (isReachable: boolean | undefined, openedMs: number, releasedMs?: number) => {
    await world.db.delete(incidents)
    const evidence = releasedMs === undefined ? {} : { releasedAt: world.now - releasedMs }
    await incident(id, { openedAt: new Date(world.now - openedMs), evidence })
    const silent = {
      host: 'b.test',
      total: 1,
      failing: 0,
      up: 1,
      lifeAt: world.now - 2 * HOUR_MS,
      failingAt: undefined,
    }
    const circumstances = { hosts: [silent], isReachable, isSilent: never, now: world.now }
    return (await dueToOpen(world.deps, circumstances)).length
  }
  expect([await due(true, HOUR_MS, 59_999), await due(true, HOUR_MS, 60_000)]).toEqual([0, 1])
  expect([await due(undefined, 119_999), await due(undefined, 120_000)]).toEqual([0, 1])
})

test('nobody is reminded of what somebody handles', async () => {
  const [id = '', other = ''] = await world.add(2, () => 'a.test')
  const notifiedAt = new Date(world.now - REMIND_MS)
  await incident(id, { notifiedAt, acknowledgedAt: notifiedAt })
  const open = await incident(other, { notifiedAt })
  expect((await dueReminders(world.deps, never, world.now)).map((due) => due.id)).toEqual([open])
})

test('what another process sent meanwhile isn’t sent again', async () => {
  const [id = ''] = await world.add(1, () => 'a.test')
  await world.channel('A')
  await incident(id)
  const at = new Date(world.now)
  expect(await meanwhile(() => world.db.update(incidents).set({ notifiedAt: at }))).toBe(0)
  const long = new Date(world.now - REMIND_MS)
  await world.db.update(incidents).set({ notifiedAt: long })
  expect(await meanwhile(() => world.db.update(incidents).set({ remindedAt: at }))).toBe(0)
  await world.db.update(incidents).set({ remindedAt: long })
  expect(await meanwhile(async () => {})).toBe(1)
})

test('a recovery goes to whoever was told of the opening', async () => {
  const [id = ''] = await world.add(1, () => 'a.test')
  const told = await world.channel('told', { isDefault: false })
  await world.channel('responsible now')
  const at = new Date(world.now - HOUR_MS)
  const incidentId = await incident(id, { notifiedAt: at, resolvedAt: at })
  await world.db
    .insert(incidentEvents)
    .values({ id: Bun.randomUUIDv7(), incidentId, at, kind: 'told', channelId: told })
  await tell(world.deps, [], true)
  expect((await world.told()).map(({ channel }) => channel)).toEqual(['told'])
})

test('while the own network may be down, no host is blamed', async () => {
  const ids = await world.add(9, (index) => `h${index % 3}.test`)
  world.isConnected = false
  await world.set(ids, 'dead')
  await world.look(10)
  const causes = (await world.incidents()).map(({ cause }) => cause)
  expect(causes).toContain('egress')
  expect(causes).not.toContain('host')
})

test('an incident of a host ends with its last stream', async () => {
  const failing = await world.add(4, () => 'a.test')
  await world.add(8, (index) => `h${index % 2}.test`)
  await world.set(failing, 'dead')
  await world.look(10)
  const ofHost = async () => (await world.incidents()).find(({ cause }) => cause === 'host')
  expect((await ofHost())?.resolvedAt).toBeNull()
  await world.db.delete(streams).where(eq(streams.url, 'http://a.test/0'))
  for (const id of failing) await world.db.delete(streams).where(eq(streams.id, id))
  await world.look(1)
  expect((await ofHost())?.resolvedAt).toEqual(new Date(world.now))
})

test('streams of a worker that isn’t heard of wait for another', async () => {
  await world.add(2, () => 'a.test')
  await world.look(8)
  expect(await world.incidents()).toEqual([])
  for (let each = 0; each < 20; each++) {
    world.now += LOOK_MS
    await evaluateIncidents(world.deps)
  }
  expect((await world.incidents()).map(({ cause }) => cause)).toContain('workers')
  expect(await world.db.$count(workers)).toBe(1)
})

test('a change is over as it begins; three weeks teach what is usual', async () => {
  const [id = ''] = await world.add(1, () => 'a.test')
  const change = {
    key: 'a',
    cause: 'changed',
    title: '',
    detail: '',
    streamId: id,
    host: null,
    affected: 1,
    since: 0,
  } as const
  await world.db.transaction((tx) => open(tx, [change], world.now, true))
  expect((await world.incidents())[0]?.resolvedAt).toEqual(new Date(world.now))
  const hour = Math.floor(world.now / HOUR_MS) * HOUR_MS
  const sums = { streamId: id, firstSeq: 1, lastSeq: 1, polls: 60 }
  await world.db.insert(rollups).values({ ...sums, minute: new Date(world.now), plainBytes: 60 * 9_000 })
  const looked = async (weeks: number) => {
    await world.db.delete(longRollups)
    const rows = Array.from({ length: weeks }, (_, at) => new Date(hour - (at + 1) * WEEK_MS))
    await world.db
      .insert(longRollups)
      .values(rows.map((at) => ({ ...sums, step: 'hour' as const, at, plainBytes: 60_000 })))
    const scope = { id, streamId: id, tag: null, createdAt: new Date(0) }
    const { rows: found } = (await world.db.execute(size.evaluations(scope, {}, world.now))) as {
      rows: { look: string }[]
    }
    return found[0]?.look
  }
  expect([await looked(2), await looked(3)]).toEqual(['unknown', 'bad'])
})
