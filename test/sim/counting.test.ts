import { expect, test } from 'bun:test'
import { applyPatch } from 'fast-json-patch'
import { FaultHolder } from '../../src/sim/faults/faults.ts'
import { CountingFeed, type CountSpec, REPLAYED } from '../../src/sim/service/counting.ts'
import { documentAt, numberData, patchTo, uuidOf } from '../../src/sim/service/numbers.ts'
import { realWorld } from '../../src/sim/world.ts'

/** A feed that began to count at 0 and is at `newest`, one number a millisecond. */
function feedAt(newest: number, spec: Partial<CountSpec> = {}) {
  const sent: number[] = []
  const clock = { at: newest * 10 }
  const feed = new CountingFeed({
    name: 'C',
    spec: { tells: 'numbers', everyMs: 10, since: 0, ...spec },
    faults: new FaultHolder(),
    randomOf: () => Math.random,
    world: { ...realWorld, now: () => clock.at },
    onSent: (number) => sent.push(number),
  })
  return { feed, clock, sent }
}

/** All that a connection is told when the feed ends it at once. */
async function told({ feed }: ReturnType<typeof feedAt>, lastEventId: string | null = null) {
  const response = feed.open({ lastEventId, state: '{}' })
  feed.close()
  const blocks = ((await response?.text()) ?? '').split('\n\n').slice(1, -1)
  return blocks.map((block) => ({
    id: /^id: (.*)$/m.exec(block)?.[1],
    event: /^event: (.*)$/m.exec(block)?.[1],
    data: /^data: (.*)$/m.exec(block)?.[1] ?? '',
  }))
}

test('numbers depend on the clock alone, so a restart continues where it would be', async () => {
  expect(feedAt(7).feed.newest).toBe(7)
  const after = await told(feedAt(9), '7')
  expect(after).toEqual([8, 9].map((n) => ({ id: String(n), event: undefined, data: numberData('C', n) })))
})

test('a reader without an ID, or with an unknown one, starts with the next number', async () => {
  for (const id of [null, '', 'x', '-1', '99']) expect(await told(feedAt(9), id)).toEqual([])
})

test('a service that repeats the last few does so for every reader', async () => {
  const ids = (await told(feedAt(50, { resume: 'last' }), '49')).map(({ id }) => Number(id))
  expect(ids).toEqual(Array.from({ length: REPLAYED }, (_, index) => 50 - REPLAYED + 1 + index))
})

test('events without IDs can’t be resumed', async () => {
  expect(await told(feedAt(9, { ids: false }), '3')).toEqual([])
})

test('a service that repeats all it keeps starts with the oldest', async () => {
  const ids = (await told(feedAt(50, { resume: 'all', keeps: 30 }), '49')).map(({ id }) => Number(id))
  expect(ids).toEqual(Array.from({ length: 30 }, (_, index) => 21 + index))
})

test('a reader that missed more than a service keeps starts with the oldest', async () => {
  const kept = await told(feedAt(50, { keeps: 3 }), '10')
  expect(kept.map(({ id }) => id)).toEqual(['48', '49', '50'])
  expect((await told(feedAt(50, { keeps: 3 }), '48')).map(({ id }) => id)).toEqual(['49', '50'])
})

test('a reader of patches that missed more than a service keeps gets the document', async () => {
  const [first, ...others] = await told(feedAt(50, { tells: 'patches', keeps: 3 }), '10')
  expect(first).toEqual({ id: '50', event: 'data', data: JSON.stringify(documentAt('C', 50)) })
  expect(others).toEqual([])
})

test('IDs count by a step, and only those are known', async () => {
  const step = { idStep: 2 }
  expect((await told(feedAt(9, step), '14')).map(({ id }) => id)).toEqual(['16', '18'])
  expect(await told(feedAt(9, step), '15')).toEqual([])
})

test('UUIDs can be resumed, but only as far back as the service remembers', async () => {
  const [seven, eight, nine] = [7, 8, 9].map((n) => uuidOf('C', n))
  expect(new Set([seven, eight, nine]).size).toBe(3)
  expect((await told(feedAt(9, { uuids: true }), seven)).map(({ id }) => id)).toEqual([
    eight,
    nine,
  ] as string[])
  expect(await told(feedAt(9, { uuids: true, keeps: 2 }), seven)).toEqual([])
})

test('patches lead from the document to every version after it', async () => {
  const began = await told(feedAt(3, { tells: 'patches' }))
  expect(began).toEqual([{ id: '3', event: 'data', data: JSON.stringify(documentAt('C', 3)) }])
  const document = documentAt('C', 3)
  for (const { event, data } of await told(feedAt(60, { tells: 'patches' }), '3')) {
    expect(event).toBe('patch')
    applyPatch(document, JSON.parse(data), true)
  }
  expect(document).toEqual(documentAt('C', 60))
  expect(JSON.parse(patchTo('C', 4))).not.toEqual([])
})

test('a reader with the newest version isn’t sent the document again', async () => {
  expect(await told(feedAt(3, { tells: 'patches' }), '3')).toEqual([])
})

test('only numbers for the newest connection are reported, right when they are sent', () => {
  const own = feedAt(5)
  own.feed.open({ lastEventId: '3', state: '{}' })
  expect(own.sent).toEqual([4, 5])
  own.feed.open({ lastEventId: '4', state: '{}' })
  expect(own.sent).toEqual([4, 5, 5])
  own.feed.close()
})

test('when the newest connection ends, the one before it is reported again', async () => {
  const own = feedAt(5)
  own.feed.open({ lastEventId: '5', state: '{}' })
  await own.feed.open({ lastEventId: '5', state: '{}' })?.body?.cancel()
  own.clock.at = 60
  own.feed.act('cut')
  expect(own.sent).toEqual([6])
  own.feed.close()
})

test('a service that sends nothing still has its document', async () => {
  const own = feedAt(5, { tells: 'nothing' })
  expect(own.feed.snapshot()).toEqual(documentAt('C', 5))
  expect(await told(own, '1')).toEqual([])
})

test('a reader that doesn’t read is waited for, and gets every number in the end', async () => {
  const newest = 4_000
  const own = feedAt(newest)
  const response = own.feed.open({ lastEventId: '0', state: '{}' })
  expect(own.sent.length).toBeLessThan(newest)
  const chunks: Uint8Array[] = []
  for await (const chunk of response?.body ?? []) {
    chunks.push(chunk)
    if (own.sent.at(-1) === newest) own.feed.close()
  }
  const ids = [
    ...Buffer.concat(chunks)
      .toString()
      .matchAll(/^id: (\d+)$/gm),
  ].map(([, id]) => Number(id))
  expect(ids).toEqual(Array.from({ length: newest }, (_, index) => index + 1))
})
