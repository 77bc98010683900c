import { expect, test } from 'bun:test'
import { EventFeed, MAX_KEPT_EVENTS } from '../../src/sim/service/events.ts'
import { MAX_UNREAD_BYTES } from '../../src/sim/service/wire.ts'
import { activate, readEvents, seedFor, spec, start, stubWeir, until } from './support.ts'

async function oneLeaf() {
  const weir = stubWeir()
  const sim = await start({ services: [spec('T')], web: weir.url, seed: seedFor('T', 200, 502) })
  const dispose = async () => {
    await sim.close()
    await weir[Symbol.asyncDispose]()
  }
  return { url: sim.first.url, close: sim.close, [Symbol.asyncDispose]: dispose }
}

const names = (stream: Awaited<ReturnType<typeof readEvents>>) => stream.events().map(({ event }) => event)

test('a reader first gets the state, then what happens, under growing ids', async () => {
  await using leaf = await oneLeaf()
  using stream = await readEvents(leaf.url)
  expect(stream.response.headers.get('Content-Type')).toStartWith('text/event-stream')
  expect(stream.response.headers.get('Access-Control-Allow-Origin')).toBe('*')
  await until(() => names(stream).includes('state'))
  await activate(leaf.url, { item: 'UI', color: 'gold' })
  await activate(leaf.url, { color: 'orange' })
  await until(() => stream.events().length === 5)

  expect(stream.text).toStartWith('retry: 1000\n\n')
  expect(names(stream)).toEqual(['state', 'activated', 'answered', 'activated', 'answered'])
  const at = expect.any(String)
  expect(stream.events().map(({ data }) => data)).toEqual([
    expect.objectContaining({ service: 'T', status: 'idle', requests: 0 }),
    { item: 'UI', color: 'gold', at },
    { status: 200, durationMs: expect.any(Number), at },
    { item: 'T', color: 'orange', at },
    { status: 502, durationMs: expect.any(Number), at },
  ])
  const ids = stream.events().map(({ id }) => Number(id))
  expect(ids).toEqual(ids.map((_, position) => (ids[0] ?? 0) + position))
})

test('a reader that comes back gets what it missed, once', async () => {
  await using leaf = await oneLeaf()
  using before = await readEvents(leaf.url)
  await activate(leaf.url)
  const activated = await until(() => before.events().find(({ event }) => event === 'activated'))
  await activate(leaf.url)
  await until(() => before.events().length === 5)

  using after = await readEvents(leaf.url, activated.id)
  await until(() => after.events().length === 4)
  expect(after.events().slice(1)).toEqual(before.events().slice(2))
  expect(after.events()[0]).toMatchObject({ event: 'state', id: activated.id, data: { requests: 2 } })
})

test('a reader without an id gets only what happens from now on', async () => {
  await using leaf = await oneLeaf()
  await activate(leaf.url)
  using stream = await readEvents(leaf.url)
  await until(() => names(stream).includes('state'))
  await activate(leaf.url)
  await until(() => names(stream).includes('answered'))
  expect(names(stream)).toEqual(['state', 'activated', 'answered'])
})

test('a reader that leaves is forgotten', async () => {
  const feed = new EventFeed(0)
  let ended = 0
  const left = feed.open({ lastEventId: null, state: '{}', onEnd: () => ended++ })
  await left?.body?.cancel()
  expect({ ended, readers: feed.readers, slow: feed.slowReaders }).toEqual({ ended: 1, readers: 0, slow: 0 })
  feed.publish('activated', {})
})

test('a reader that leaves does not keep the others from receiving', async () => {
  await using leaf = await oneLeaf()
  using stays = await readEvents(leaf.url)
  {
    using leaves = await readEvents(leaf.url)
    await until(() => names(leaves).includes('state'))
  }
  await activate(leaf.url)
  await until(() => names(stays).includes('answered'))
})

test('an idle stream is kept open by comments', async () => {
  await using leaf = await oneLeaf()
  using stream = await readEvents(leaf.url)
  await until(() => stream.text.includes('\n: heartbeat\n'))
})

test('closing the service ends its streams', async () => {
  await using leaf = await oneLeaf()
  using stream = await readEvents(leaf.url)
  await until(() => names(stream).includes('state'))
  await leaf.close()
  await until(() => stream.ended)
})

test('ids grow over a restart, so that a reader from before it gets all there is', async () => {
  const old = new EventFeed(1_000)
  for (let event = 0; event < 50; event++) old.publish('activated', {})
  const restarted = new EventFeed(2_000)
  restarted.publish('activated', { first: true })
  const response = restarted.open({ lastEventId: '1050', state: '{}' })
  restarted.close()
  expect(await response?.text()).toContain('data: {"first":true}')
})

test('the ring forgets the oldest events at its bound', async () => {
  const feed = new EventFeed(0)
  for (let event = 1; event <= MAX_KEPT_EVENTS + 5; event++) feed.publish('activated', { event })
  const response = feed.open({ lastEventId: '1', state: '{}' })
  feed.close()
  const text = (await response?.text()) ?? ''
  expect(text.match(/event: activated/g)).toHaveLength(MAX_KEPT_EVENTS)
  expect(text).not.toContain('{"event":5}')
  expect(text).toContain('{"event":6}')
})

test.each(['', 'abc', '-1', '1e3', '9'.repeat(30), '500'])(
  'a reader whose Last-Event-ID is "%s", which was never given, starts afresh',
  async (lastEventId) => {
    const feed = new EventFeed(100)
    feed.publish('activated', {})
    const response = feed.open({ lastEventId, state: '{}' })
    feed.close()
    expect(await response?.text()).not.toContain('event: activated')
  },
)

test('a reader that stops reading is closed at the bound, and the others keep receiving', async () => {
  const feed = new EventFeed(0)
  let ended = 0
  feed.open({ lastEventId: null, state: '{}', onEnd: () => ended++ })
  const reading = feed.open({ lastEventId: null, state: '{}' })?.body?.getReader()
  const data = { pad: 'x'.repeat(MAX_UNREAD_BYTES / 8) }
  for (let event = 0; event < 20; event++) {
    feed.publish('activated', data)
    for (let got = 0; got < data.pad.length; ) got += (await reading?.read())?.value?.byteLength ?? Infinity
  }
  expect({ ended, slow: feed.slowReaders, readers: feed.readers }).toEqual({ ended: 1, slow: 1, readers: 1 })
})

test('more readers than the bound are refused', () => {
  const feed = new EventFeed(0)
  const answers = Array.from({ length: 101 }, () => feed.open({ lastEventId: null, state: '{}' }))
  expect(answers.filter((answer) => answer === undefined)).toHaveLength(1)
  feed.close()
  expect(feed.readers).toBe(0)
})
