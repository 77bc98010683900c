import { expect, test } from 'bun:test'
import { applyPatch } from 'fast-json-patch'
import { FaultHolder } from '../../src/sim/faults/faults.ts'
import { CountingFeed, type CountSpec, REPLAYED } from '../../src/sim/service/counting.ts'
import { documentAt, numberData, patchTo } from '../../src/sim/service/numbers.ts'
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

test('numbers follow from the clock alone, so that a restart goes on where it would be', async () => {
  expect(feedAt(7).feed.newest).toBe(7)
  const after = await told(feedAt(9), '7')
  expect(after).toEqual([8, 9].map((n) => ({ id: String(n), event: undefined, data: numberData('C', n) })))
})

test('a reader without an id, or with one that was never given, begins with what comes', async () => {
  for (const id of [null, '', 'x', '-1', '99']) expect(await told(feedAt(9), id)).toEqual([])
})

test('a service that tells the last few does so whatever its reader knows', async () => {
  const ids = (await told(feedAt(50, { resume: 'last' }), '49')).map(({ id }) => Number(id))
  expect(ids).toEqual(Array.from({ length: REPLAYED }, (_, index) => 50 - REPLAYED + 1 + index))
})

test('events without ids can not be asked for', async () => {
  expect(await told(feedAt(9, { ids: false }), '3')).toEqual([])
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

test('a reader that has the newest version is sent no document again', async () => {
  expect(await told(feedAt(3, { tells: 'patches' }), '3')).toEqual([])
})

test('only what goes to the newest connection is told of, and only once it goes', () => {
  const own = feedAt(5)
  own.feed.open({ lastEventId: '3', state: '{}' })
  expect(own.sent).toEqual([4, 5])
  own.feed.open({ lastEventId: '4', state: '{}' })
  expect(own.sent).toEqual([4, 5, 5])
  own.feed.close()
})

test('a service that tells nothing still has its document', async () => {
  const own = feedAt(5, { tells: 'nothing' })
  expect(own.feed.snapshot()).toEqual(documentAt('C', 5))
  expect(await told(own, '1')).toEqual([])
})

test('a reader that does not read is waited for, and gets every number in the end', async () => {
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
