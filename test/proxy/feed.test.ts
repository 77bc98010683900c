import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { admit } from '../../src/auth/caller.ts'
import { Problem } from '../../src/errors.ts'
import { Frame, type TopicMessage } from '../../src/hub/frame.ts'
import { Hub } from '../../src/hub/hub.ts'
import { SubscriberSlots } from '../../src/hub/subscriber-slots.ts'
import { ProxyFeed } from '../../src/proxy/feed.ts'
import { ProxiedStreams } from '../../src/proxy/proxied.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served
import { Proxy, type ProxyDeps } from '../../src/proxy/proxy.ts'
import { UsageMeter } from '../../src/proxy/usage.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { storeEntries } from '../../src/streams/recording/store-entries.ts'
import { proxyTopic } from '../../src/topics.ts'
import { heardOn, testBus } from '../support/bus.ts'
import { settle } from '../support/clock.ts'
import { testStorage } from '../support/storage.ts'
import { until } from '../support/until.ts'

const own = testStorage()
const hub = new Hub()
const large = { rebuild: async () => undefined }
const warn = (message: string) => expect(message).toBe('')

/** A proxied stream with a document, `{"n":0}`, and this many changes of it. */
async function changed(changes: number) {
  const stream = await own.stream({ kind: 'poll', proxyKey: Bun.randomUUIDv7(), alwaysOn: false })
  const list = [entryOf(stream.id, 1, { kind: 'snapshot', data: '{"n":0}' })]
  for (let n = 1; n <= changes; n++) list.push(patchOf(stream.id, n + 1))
  await store(list)
  return stream.id
}
const entryOf = (streamId: string, seq: number, more: Partial<Entry> = {}): Entry => ({
  ...{ streamId, seq, epoch: 0, at: Date.now(), kind: 'event', wireBytes: 1, bodyBytes: 1 },
  ...more,
})
const patchOf = (id: string, seq: number) =>
  entryOf(id, seq, {
    kind: 'patch',
    changed: true,
    data: `[{"op":"replace","path":"/n","value":${seq - 1}}]`,
  })
const store = (entries: readonly Entry[]) =>
  storeEntries(
    own.db,
    entries.map((entry) => ({ entry, checkpoint: { seq: entry.seq, snapshotSeq: 1 } })),
  )
const open = (id: string) => ProxyFeed.open(id, { db: own.db, hub, large, warn })

/** What a subscriber gets first: events with their data, and IDs without the tag. */
async function greeting(
  feed: ProxyFeed,
  lastSeq?: number | string,
  mode: 'snapshot-patch' | 'snapshot-only' | 'event' = 'snapshot-patch',
) {
  let text = ''
  const send = async (message: TopicMessage | Frame) => {
    const frame = message instanceof Frame ? message : Frame.of(message)
    text += new TextDecoder().decode(frame.bytes)
  }
  const tag = feed.streamId.slice(-8)
  const id = typeof lastSeq === 'number' ? `${tag}.${lastSeq}` : lastSeq
  await feed.begin(mode, id, send)
  return [...text.matchAll(/event: (\w+)\nid: [^.]*\.(\d+)\ndata: (.*)\n/g)].map(([, event, seq, data]) => [
    event,
    Number(seq),
    event === 'gap' ? JSON.parse(`${data}`).reason : data,
  ])
}
const patch = (seq: number) => ['patch', seq, `[{"op":"replace","path":"/n","value":${seq - 1}}]`]

test('a new subscriber gets the document, one that resumes what it missed', async () => {
  const feed = await open(await changed(4))
  expect(await greeting(feed)).toEqual([['data', 5, '{"n":4}']])
  expect(await greeting(feed, 3)).toEqual([patch(4), patch(5)])
  expect(await greeting(feed, 5)).toEqual([])
})

test('what retention has dropped is a gap, never a silent hole', async () => {
  const id = await changed(6)
  const feed = await open(id)
  await own.db.execute(sql`DELETE FROM weir.entries WHERE stream_id = ${id} AND seq <= 4`)
  expect(await greeting(feed, 2)).toEqual([
    ['gap', 7, 'not_kept'],
    ['data', 7, '{"n":6}'],
  ])
  expect(await greeting(feed, 4)).toEqual([patch(5), patch(6), patch(7)])
})

test.each([
  [1_000, 1_000],
  [1_001, 2],
])('of %i missed changes %i messages come', async (missed, messages) => {
  const feed = await open(await changed(missed))
  const got = await greeting(feed, 1)
  expect(got).toHaveLength(messages)
  if (missed > 1_000) expect(got[0]).toEqual(['gap', missed + 1, 'too_many'])
})

test('more than a mebibyte of missed changes isn’t replayed', async () => {
  const id = await changed(3)
  const long = (length: number) =>
    own.db.execute(
      sql`UPDATE weir.entries SET data = ${`[{"op":"replace","path":"/n","value":"${'x'.repeat(length)}"}]`} WHERE stream_id = ${id} AND seq = 3`,
    )
  const feed = await open(id)
  await long(1_000_000)
  expect(await greeting(feed, 2)).toHaveLength(2)
  expect((await greeting(feed, 2))[0]?.[0]).toBe('patch')
  await long(1_100_000)
  expect((await greeting(feed, 2))[0]).toEqual(['gap', 4, 'too_many'])
})

test('an ID of another stream, or of one that isn’t there yet, is a gap', async () => {
  const feed = await open(await changed(1))
  for (const id of ['01234567.1', 'nonsense', `${feed.streamId.slice(-8)}.3`, `${feed.streamId.slice(-8)}.x`])
    expect(await greeting(feed, id)).toEqual([
      ['gap', 2, 'unknown_id'],
      ['data', 2, '{"n":1}'],
    ])
})

test('whole documents can’t be resumed by changes: one that missed several has a gap', async () => {
  const feed = await open(await changed(3))
  expect(await greeting(feed, 3, 'event')).toEqual([['data', 4, '{"n":3}']])
  expect(await greeting(feed, 2, 'event')).toEqual([
    ['gap', 4, 'skipped'],
    ['data', 4, '{"n":3}'],
  ])
  expect(await greeting(feed, undefined, 'event')).toEqual([])
  expect(await greeting(feed, 1, 'snapshot-only')).toEqual([['data', 4, '{"n":3}']])
})

test('entries that are missing before one are read, and each comes once', async () => {
  const id = await changed(1)
  const feed = await open(id)
  const topic = proxyTopic(id, 'patches')
  const leaving = new AbortController()
  const reader = (
    hub.subscribe(topic, { signal: leaving.signal }).body as ReadableStream<Uint8Array>
  ).getReader()
  let text = ''
  void (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read())
      text += new TextDecoder().decode(next.value)
  })()
  await store([patchOf(id, 3), patchOf(id, 4)])
  feed.stored(patchOf(id, 4))
  feed.stored(patchOf(id, 2))
  await until('both came', () => feed.seq === 4)
  await until('they were sent', () => text.includes('"value":3'))
  expect([...text.matchAll(/"value":(\d)/g)].map(([, n]) => n)).toEqual(['2', '3'])
  leaving.abort()
})

test('an entry that is known costs no query', async () => {
  const id = await changed(2)
  let queries = 0
  const db = new globalThis.Proxy(own.db, {
    get(target, name) {
      if (name === 'select') queries++
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const feed = await ProxyFeed.open(id, { db, hub, large, warn })
  const opened = queries
  for (const seq of [1, 2, 3]) feed.stored(patchOf(id, seq))
  await settle()
  expect(queries).toBe(opened)
})

/** A proxy with these replacements, and a request of a client. */
function proxyOf(more: Partial<ProxyDeps> = {}) {
  const opened: string[] = []
  const woken: string[] = []
  const left: string[] = []
  const proxied = {
    keyOf: () => 'key',
    open: async () => {
      opened.push('open')
      return { id: 'none' }
    },
    wake: async (id: string) => void woken.push(id),
  } as unknown as ProxyDeps['proxied']
  const upstreamRate = {
    follow: async () => () => void left.push('left'),
  } as unknown as ProxyDeps['upstreamRate']
  const proxy = new Proxy({
    ...{ db: own.db, hub: new Hub(), large, proxied, upstreamRate, bus: testBus(), now: Date.now, warn },
    ...more,
  })
  return { proxy, opened, woken, left, proxied }
}
function request() {
  const made = new Request('http://weir.test/proxy/http://api.test/')
  admit(made, { caller: { id: 'key:1', name: 'k', scope: 'read' }, how: 'secret' })
  return made
}

test('for a subscriber without a slot nothing is polled', async () => {
  const full = new Hub(Math.random, new SubscriberSlots({ perClient: 0, inAll: 0, countsLocal: true }))
  const { proxy, opened, left } = proxyOf({ hub: full })
  expect(proxy.subscribe(request())).rejects.toBeInstanceOf(Problem)
  await Bun.sleep(0)
  expect([opened, left]).toEqual([[], []])
  await proxy.close()
})

test('a subscription that can’t begin doesn’t count', async () => {
  const { proxy, left, proxied } = proxyOf()
  proxied.open = async () => {
    throw new Problem('conflict', 'no')
  }
  await proxy.subscribe(request()).catch(() => {})
  expect(left).toEqual(['left'])
  await proxy.close()
})

test('a stream that was put to rest with a subscriber is woken', async () => {
  const id = await changed(1)
  const mine = new Hub()
  const { proxy, proxied, woken } = proxyOf({ hub: mine })
  proxied.open = async () => ({ id }) as never
  const { body } = await proxy.subscribe(request())
  expect(proxy.follows(id)).toBe(true)
  await own.db.execute(sql`UPDATE weir.streams SET desired = 'idle' WHERE id = ${id}`)
  await proxy.close()
  expect(woken).toEqual([id])
  await body?.cancel()
  mine.close()
})

test('a stream without subscribers is forgotten, and not woken', async () => {
  const id = await changed(1)
  const mine = new Hub()
  const { proxy, proxied, woken, left } = proxyOf({ hub: mine })
  proxied.open = async () => ({ id }) as never
  await proxy.subscribe(request())
  mine.close()
  await own.db.execute(sql`UPDATE weir.streams SET desired = 'idle' WHERE id = ${id}`)
  await proxy.close()
  expect([woken, proxy.follows(id), proxy.targets]).toEqual([[], false, 0])
  expect(left).toEqual(['left'])
})

test.each([
  ['stopped', 'The stream was stopped.'],
  ['removed', 'The stream was removed.'],
])('subscribers of a stream that was %s are told, and their streams end', async (what, message) => {
  const id = await changed(1)
  const mine = new Hub()
  const { proxy, proxied } = proxyOf({ hub: mine })
  proxied.open = async () => ({ id }) as never
  const response = await proxy.subscribe(request())
  const text = response.text()
  if (what === 'stopped')
    await own.db.execute(sql`UPDATE weir.streams SET desired = 'stopped' WHERE id = ${id}`)
  else await own.db.execute(sql`DELETE FROM weir.streams WHERE id = ${id}`)
  await proxy.close()
  expect(await text).toContain(message)
})

const TARGET = {
  url: 'http://api.test/',
  intervalMs: 1_000,
  ignorePaths: [],
  arrayKeys: [],
  payloadPointer: undefined,
}
function proxiedOf(bus = testBus()) {
  const started: string[] = []
  const control = { runLater: async (ids: readonly string[]) => void started.push(...ids) }
  const reached: string[] = []
  const mayReach = async (url: string) => void reached.push(url)
  return { proxied: new ProxiedStreams({ db: own.db, bus, control, mayReach }), started, reached }
}

test('those who ask the same share a stream; other headers, another one', async () => {
  const { proxied, started, reached } = proxiedOf()
  const headers = { authorization: 'Bearer 1' }
  const first = await proxied.open({ ...TARGET, headers }, 'key:1')
  const again = await proxied.open({ ...TARGET, headers }, 'key:2')
  const other = await proxied.open({ ...TARGET, headers: { authorization: 'Bearer 2' } }, 'key:2')
  expect(again.id).toBe(first.id)
  expect(other.id).not.toBe(first.id)
  expect([first.owner, other.owner]).toEqual(['key:1', 'key:2'])
  expect(started).toEqual([first.id, other.id])
  expect(reached).toEqual(['http://api.test/', 'http://api.test/'])
})

test('a stream that its owner stopped isn’t started by a subscriber; an idle one is', async () => {
  const bus = testBus()
  const updated = heardOn(bus, 'stream.updated')
  const { proxied, started } = proxiedOf(bus)
  const { id } = await proxied.open({ ...TARGET, url: 'http://b.test/', headers: {} }, undefined)
  started.length = 0
  await own.db.execute(sql`UPDATE weir.streams SET desired = 'stopped' WHERE id = ${id}`)
  expect(proxied.open({ ...TARGET, url: 'http://b.test/', headers: {} }, undefined)).rejects.toThrow(
    'stopped',
  )
  await proxied.wake(id)
  expect([started, updated]).toEqual([[], []])
  await own.db.execute(sql`UPDATE weir.streams SET desired = 'idle' WHERE id = ${id}`)
  await proxied.open({ ...TARGET, url: 'http://b.test/', headers: {} }, undefined)
  expect(started).toEqual([id])
})

test('usage adds up over writes, and time counts per subscriber', async () => {
  let now = Date.UTC(2026, 0, 5, 12)
  const id = await changed(0)
  const usage = new UsageMeter(() => now)
  const [one, two] = [usage.enter(id), usage.enter(id)]
  one.sent(100)
  now += 10_000
  await usage.write(own.db)
  two.closed('slow')
  now += 5_000
  one.sent(11)
  usage.sentSnapshot(id)
  await usage.write(own.db)
  one.closed('left')
  await usage.write(own.db)
  expect(await usage.write(own.db)).toEqual([])
  const rows = await own.rows<Record<string, unknown>>(
    sql`SELECT * FROM weir.fanouts WHERE stream_id = ${id}`,
  )
  const sums = Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, value]) => [name, Number(value)]))
  expect(rows).toHaveLength(1)
  expect(sums).toMatchObject({
    open: 0,
    connections: 2,
    snapshots: 1,
    wire_bytes: 111,
    slow: 1,
    subscriber_ms: 25_000,
  })
})

test('usage that couldn’t be written is written with the next', async () => {
  const id = await changed(0)
  const usage = new UsageMeter(Date.now)
  usage.enter(id).sent(7)
  const broken = { execute: () => Promise.reject(new Error('away')) } as unknown as typeof own.db
  await usage.write(broken).catch(() => {})
  await usage.write(own.db)
  const [row] = await own.rows<{ bytes: number }>(
    sql`SELECT wire_bytes::int AS bytes FROM weir.fanouts WHERE stream_id = ${id}`,
  )
  expect(row).toEqual({ bytes: 7 })
})
