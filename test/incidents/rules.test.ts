import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { checkpoints, entries, longRollups, rollups, rules, streams } from '../../drizzle/schema.ts'
import { hashDocument, type Json } from '../../src/core/documents/document.ts'
import { Problem } from '../../src/errors.ts'
import { checkRule } from '../../src/incidents/rule-input.ts'
import { addRule, changeRule, removeRule } from '../../src/incidents/rules.ts'
import { isSkipped, STORAGE_SETUPS } from '../support/setups.ts'
import { LOOK_MS, type World } from './support.ts'
import { useWorld } from './use-world.ts'

const MINUTE_MS = 60_000
const LOOKS_A_MINUTE = MINUTE_MS / LOOK_MS
const HOUR_MS = 3_600_000

describe.each(STORAGE_SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let world: World
    useWorld(setup, (opened) => {
      world = opened
    })

    const rule = (said: Record<string, unknown>) =>
      addRule(
        world,
        checkRule({ name: 'Mine', failureThreshold: 1, successThreshold: 1, ...said }),
        world.now,
      )
    const record = (streamId: string, sums: Partial<typeof rollups.$inferInsert>) => {
      const minute = new Date(Math.floor(world.now / MINUTE_MS) * MINUTE_MS)
      return world.db
        .insert(rollups)
        .values({ streamId, minute, firstSeq: 1, lastSeq: 1, ...sums })
        .onConflictDoUpdate({ target: [rollups.streamId, rollups.minute], set: sums })
    }
    const minutes = (count: number) => world.look(count * LOOKS_A_MINUTE)
    const open = async () => {
      const rows = await world.incidents()
      return rows
        .filter(({ resolvedAt }) => resolvedAt === null)
        .map(({ cause, detail }) => `${cause}: ${detail}`)
    }
    const hosts = (index: number) => `h${index}.test`

    test('an error rate above its limit opens an incident for streams with the tag', async () => {
      const [tagged = ''] = await world.add(1, hosts, { tags: ['shop'] })
      const [other = ''] = await world.add(1, () => 'other.test')
      await rule({ kind: 'errorRate', tag: 'shop', params: { above: 0.2, windowMs: 300_000 } })
      for (const id of [tagged, other]) await record(id, { polls: 7, errors: 2 })
      await minutes(1)
      expect(await open()).toEqual([])
      for (const id of [tagged, other]) await record(id, { polls: 8, errors: 3 })
      await minutes(2)
      expect(await open()).toEqual(['errorRate: Mine: 5 of 20 attempts failed.'])
      await minutes(6)
      expect(await open()).toEqual([])
    })

    test('a change is notified once, and resolved at once', async () => {
      await world.channel('ops')
      const [id = '', still = ''] = await world.add(2, hosts)
      await rule({ kind: 'changed', params: { everyMs: 120_000 } })
      await world.set([id, still], 'live', { lastEventAt: world.now })
      await world.look(6)
      expect(await world.told()).toEqual([])
      const change = () => world.set([id], 'live', { lastEventAt: world.now })
      await change()
      await world.look(6)
      const [first] = await world.told()
      expect(first).toMatchObject({
        type: 'stream.changed',
        message: { severity: 'info', streams: [{ id }] },
      })
      await change()
      await world.look(12)
      expect(await world.told()).toHaveLength(1)
      await world.look(12)
      world.restart()
      await world.look(12)
      expect(await world.told()).toHaveLength(2)
      expect(await open()).toEqual([])
      expect((await world.incidents()).map(({ cause }) => cause)).toEqual(['changed', 'changed'])
    })

    test('a document without changes for too long opens an incident, until it changes', async () => {
      const [id = ''] = await world.add(1, hosts)
      await rule({ kind: 'unchanged', params: { forMs: 300_000 } })
      await minutes(4)
      expect(await open()).toEqual([])
      await minutes(3)
      expect(await open()).toHaveLength(1)
      await world.set([id], 'live', { lastEventAt: world.now })
      await minutes(2)
      expect(await open()).toEqual([])
    })

    test('a change rate or size out of range opens an incident', async () => {
      const [id = ''] = await world.add(1, hosts)
      await rule({ kind: 'changeRate', streamId: id, params: { min: 0.1, max: 0.5, windowMs: 60_000 } })
      await rule({ kind: 'size', streamId: id, params: { max: 1_000, windowMs: 60_000 } })
      await record(id, { polls: 20, compared: 20, changed: 5, plainBytes: 20_000 })
      await minutes(1)
      expect(await open()).toEqual([])
      await record(id, { polls: 20, compared: 20, changed: 15, plainBytes: 20_020 })
      await world.look(LOOKS_A_MINUTE - 1)
      expect((await open()).sort()).toEqual([
        'changeRate: Mine: 75.0%, outside the configured range.',
        'size: Mine: 1001 bytes, outside the configured range.',
      ])
    })

    test('without limits, the usual range of this hour of the week is learned, from three weeks on', async () => {
      const [known = '', young = ''] = await world.add(2, hosts)
      await rule({ kind: 'size', params: {} })
      for (let week = 1; week <= 4; week++) {
        const at = new Date(Math.floor(world.now / HOUR_MS) * HOUR_MS - week * 7 * 24 * HOUR_MS)
        const sums = { firstSeq: 1, lastSeq: 1, polls: 60, plainBytes: 60 * (1_000 + week * 10) }
        await world.db.insert(longRollups).values({ streamId: known, step: 'hour', at, ...sums })
        // The hour before was another matter.
        const before = new Date(at.getTime() - HOUR_MS)
        await world.db
          .insert(longRollups)
          .values({ streamId: known, step: 'hour', at: before, ...sums, plainBytes: 60 * 9_000 })
        if (week > 2) continue
        await world.db.insert(longRollups).values({ streamId: young, step: 'hour', at, ...sums })
      }
      for (const id of [known, young]) await record(id, { polls: 60, plainBytes: 60 * 1_200 })
      await minutes(1)
      expect(await open()).toEqual([])
      for (const id of [known, young]) await record(id, { polls: 600, plainBytes: 600 * 9_000 })
      await minutes(1)
      expect(await open()).toHaveLength(1)
      expect((await world.incidents())[0]).toMatchObject({ streamId: known })
    })

    test('a condition is tested on the current document, and again when it changes', async () => {
      const [id = ''] = await world.add(1, hosts)
      const [none = ''] = await world.add(1, () => 'empty.test')
      let seq = 0
      const store = async (document: Json) => {
        seq++
        const kind = 'snapshot' as const
        const data = JSON.stringify(document)
        const sizes = { wireBytes: 1, bodyBytes: 1, snapshotBytes: data.length }
        await world.db.insert(entries).values({
          streamId: id,
          seq,
          at: new Date(world.now),
          epoch: 1,
          kind,
          ...sizes,
          changed: true,
          data,
          hash: hashDocument(document),
        })
        await world.db.update(checkpoints).set({ seq, snapshotSeq: seq }).where(eq(checkpoints.streamId, id))
        await world.set([id], 'live', { lastEventAt: world.now })
      }
      await store({ price: 5 })
      await rule({
        kind: 'condition',
        params: { pointer: '/price', op: 'above', value: 10 },
        failureThreshold: 2,
      })
      await world.look(3)
      expect(await open()).toEqual([])
      await store({ price: 12 })
      await world.look(1)
      expect(await open()).toEqual([])
      await world.look(1)
      expect(await open()).toEqual(['condition: Mine: /price is 12.'])
      await store({ price: null })
      await world.look(2)
      expect(await open()).toEqual([])
      expect((await world.incidents()).some(({ streamId }) => streamId === none)).toBe(false)
      // As an older Weir may have stored it: it says so, and the other rules go on.
      const stored = { pointer: '/price', op: 'matches' as const, value: '[]' }
      const { id: old } = await rule({ kind: 'condition', params: { ...stored, value: '5' }, name: 'Old' })
      await world.db.update(rules).set({ params: stored }).where(eq(rules.id, old))
      await store({ price: 13 })
      await world.look(2)
      expect((await open()).sort()).toEqual([
        'condition: Mine: /price is 13.',
        "condition: Old: The rule's pattern is not supported. RE2 reports: missing closing ]: `[]`. Edit the rule.",
      ])
    })

    test('changing, removing or rescoping a rule resolves its incidents', async () => {
      const [id = ''] = await world.add(1, hosts, { tags: ['shop'] })
      const params = { forMs: 60_000 }
      const first = await rule({ kind: 'unchanged', tag: 'shop', params })
      await minutes(3)
      expect(await open()).toHaveLength(1)
      await changeRule(world, first.id, { isEnabled: false }, world.now)
      expect(await open()).toEqual([])
      await changeRule(world, first.id, { isEnabled: true }, world.now)
      await minutes(2)
      expect(await open()).toHaveLength(1)
      await world.db.update(streams).set({ tags: [] }).where(eq(streams.id, id))
      await minutes(2)
      expect(await open()).toEqual([])
      const second = await rule({ kind: 'unchanged', params })
      await minutes(3)
      expect(await open()).toHaveLength(1)
      await removeRule(world, second.id, world.now)
      expect(await open()).toEqual([])
    })
  })
})

test.each<[what: string, rule: unknown, detail: string]>([
  ['no kind', { name: 'a', params: {} }, '`kind` is required: errorRate or changed or'],
  ['an unknown kind', { name: 'a', kind: 'x', params: {} }, 'kind: expected errorRate or'],
  ['an unknown field', { name: 'a', kind: 'changed', params: {}, x: 1 }, 'Unknown field: x.'],
  [
    'parameters of another kind',
    { name: 'a', kind: 'changed', params: { above: 1 } },
    'Unknown field: params.above.',
  ],
  ['a missing parameter', { name: 'a', kind: 'errorRate', params: {} }, '`params.above` is required.'],
  [
    'a share above 1',
    { name: 'a', kind: 'errorRate', params: { above: 2 } },
    'params.above: expected a number from 0 to 1.',
  ],
  [
    'a stream and a tag',
    { name: 'a', kind: 'changed', params: {}, tag: 't', streamId: 's' },
    'Give either `streamId` or `tag`, not both.',
  ],
  [
    'bounds the wrong way round',
    { name: 'a', kind: 'size', params: { min: 2, max: 1 } },
    '`params.min` must not be greater',
  ],
  [
    'no pointer',
    { name: 'a', kind: 'condition', params: { pointer: 'x', op: 'exists' } },
    'params.pointer: "x" isn',
  ],
  [
    'a value too many',
    { name: 'a', kind: 'condition', params: { pointer: '', op: 'exists', value: 1 } },
    "doesn't take a value",
  ],
  [
    'a value too few',
    { name: 'a', kind: 'condition', params: { pointer: '', op: 'equals' } },
    '"equals" requires a value',
  ],
  [
    'no number',
    { name: 'a', kind: 'condition', params: { pointer: '', op: 'above', value: '1' } },
    'requires a number',
  ],
  [
    'a bad pattern',
    { name: 'a', kind: 'condition', params: { pointer: '', op: 'matches', value: '(' } },
    'params.value: unsupported pattern. RE2 reports: missing closing ): `(`.',
  ],
  [
    'a threshold of none',
    { name: 'a', kind: 'changed', params: {}, failureThreshold: 0 },
    'failureThreshold: expected',
  ],
  ['nothing', null, 'Expected'],
])('%s is rejected with a message', (_what, input, detail) => {
  const problem = (() => {
    try {
      return checkRule(input)
    } catch (error) {
      return error
    }
  })()
  expect(problem).toBeInstanceOf(Problem)
  expect((problem as Problem).status).toBe(422)
  expect((problem as Problem).detail).toContain(detail)
})
