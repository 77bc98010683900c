import { afterAll, beforeAll, expect, spyOn, test } from 'bun:test'
import { Channels } from '../../src/channels/channels.ts'
import { expose } from '../../src/observe/metrics.ts'
import { Observation } from '../../src/observe/observation.ts'
import { buildParts } from '../../src/parts.ts'
import type { Database } from '../../src/storage/storage.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { Streams } from '../../src/streams/registry/streams.ts'
import { readMetrics } from '../observe/exposition.ts'
import { until } from '../support/until.ts'
import { type Composed, compose, TOKEN } from './composed.ts'

const SHARED_ID = '01940000-0000-7000-8000-000000000001'
const PRIVATE_ID = '01940000-0000-7000-8000-000000000002'
const NOBODY = new AbortController().signal

let composed: Composed
const running: Promise<unknown>[] = []
/** What the upstream was asked by the parts, not by this test. */
const traced: (string | null)[] = []
const tokens: (string | null)[] = []

beforeAll(async () => {
  composed = await compose({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    TRACE_UPSTREAMS: 'yes',
    EGRESS_CHECK_HOSTS: '127.0.0.1:9',
    INCIDENT_WAIT_MS: '7000',
    INCIDENT_REMIND_MS: '70000',
    DRAIN_MS: '700',
    MAX_SUBSCRIBERS_PER_CLIENT: '1',
    MAX_SUBSCRIBERS: '2',
  })
  await composed.context.queues.open()
})
afterAll(async () => {
  composed.parts.holder.close()
  await Promise.all(running)
  await composed.close()
})

function sample(name: string, labels: Record<string, string>): number | undefined {
  const { recording, attempts } = composed.context.observation
  const metrics = readMetrics(expose([...recording.families(), ...attempts.families()]))
  const samples = [...metrics.values()].flatMap((family) => family.samples)
  return samples.find(
    (each) =>
      each.name === name && Object.entries(labels).every(([label, value]) => each.labels[label] === value),
  )?.value
}

function streams(): Streams {
  const { context, parts } = composed
  const { config, db, bus, egress } = context
  const { control, mayReach } = parts
  return new Streams({ db, control, bus, limits: config, mayReach, fetch: egress.fetch })
}

/** Runs a stream here, as a worker does with its job. */
async function followed(url: string, more: object = {}): Promise<{ id: string; entries: Entry[] }> {
  const entries: Entry[] = []
  const registered = await streams().register({ url, intervalMs: 60_000, ...more } as never)
  const { id } = registered as unknown as { id: string }
  composed.context.bus.subscribe('the test', {
    'entries.stored': ({ entries: stored = [] }) =>
      void entries.push(...stored.filter(({ streamId }) => streamId === id)),
  })
  running.push(composed.parts.holder.hold(id, 1, NOBODY))
  return { id, entries }
}

test('what is set reaches the parts', () => {
  const { parts, upstream } = composed
  expect(parts.incidents.settings).toEqual({
    groupWaitMs: 7_000,
    remindMs: 70_000,
    egressCheckHosts: ['127.0.0.1:9'],
  })
  expect(parts.incidents.url()).toBe(upstream.url)
})

test('a forbidden address can’t be registered; the archive alone reaches the operator’s S3 service', async () => {
  const { context, parts, inner, upstream } = composed
  await parts.mayReach(upstream.url)
  await expect(parts.mayReach(inner.url)).rejects.toMatchObject({ code: 'not_allowed' })
  await expect(context.egress.fetch(inner.url, {})).rejects.toMatchObject({ code: 'not_allowed' })
  const [written] = await parts.archive.try(NOBODY)
  expect(written?.response?.status).toBe(404)
  expect([...inner.requests.keys()][0]).toStartWith('/weir/')
})

test('subscribers are limited for each client, and for all together', () => {
  const { hub } = composed.context
  const ending = new AbortController()
  const subscribe = (key: string) => {
    try {
      hub.subscribe('a', { client: { key, isLocal: false }, signal: ending.signal })
      return 'taken'
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  expect(['a', 'a', 'b', 'c'].map(subscribe)).toEqual(['taken', 'too_many', 'taken', 'unavailable'])
  ending.abort()
})

test('days are dropped only once they are archived, if there is an archive', async () => {
  const { context, parts } = composed
  expect(parts.retention.mayDrop).toBeFunction()
  const { s3Bucket: _none, ...config } = context.config
  const { retention } = buildParts({ ...context, config: config as typeof context.config }, undefined)
  expect(retention.mayDrop).toBeUndefined()
})

test('archiving on request adds a job', async () => {
  await composed.parts.archive.runLater()
  const queue = await composed.context.queues.archive
  expect((await queue.getJobs()).map(({ id }) => id)).toEqual(['archive'])
})

test('streams are followed within the egress rules, with traces, and comparisons through Weir have its token', async () => {
  const { upstream, inner } = composed
  const polled = upstream.on('/json', ({ headers }) => {
    traced.push(headers.get('traceparent'))
    return Response.json({ a: 1 })
  })
  upstream.on('/leads-inside', () => Response.redirect(inner.url, 302))
  upstream.on(`/proxy/${encodeURIComponent(polled)}`, ({ headers }) => {
    tokens.push(headers.get('authorization'))
    return new Response('data: 1\n\n', { headers: { 'Content-Type': 'text/event-stream' } })
  })
  const good = await followed(polled, { kind: 'poll', twin: true })
  await until('it is recorded', () => good.entries.some(({ kind }) => kind === 'snapshot'))
  expect(traced[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
  const bad = await followed(`${upstream.url}/leads-inside`, { kind: 'poll' })
  const error = await until('it is refused', () => bad.entries.find(({ kind }) => kind === 'error'))
  expect(error.data).toContain('not_allowed')
  const twin = await until('it has a twin', async () => (await streams().get(good.id)) && twinOf(good.id))
  running.push(composed.parts.holder.hold(twin, 1, NOBODY))
  await until('it asks', () => tokens.length > 0)
  expect(tokens[0]).toBe(`Bearer ${TOKEN}`)
})

async function twinOf(id: string): Promise<string | undefined> {
  const { rows } = (await composed.context.db.execute(
    `SELECT id FROM weir.streams WHERE twin_of = '${id}'`,
  )) as { rows: { id: string }[] }
  return rows[0]?.id
}

test('events that are sent again after a reconnect are stored once', async () => {
  const { upstream } = composed
  const events = (ids: number[]) => ids.map((id) => `id: ${id}\ndata: ${id}\n\n`).join('')
  const url = upstream.on('/feed', (_request, hits) => {
    const body = hits === 1 ? `retry: 1\n\n${events([1, 2])}` : `retry: 1\n\n${events([1, 2, 3])}`
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
  })
  const { entries } = await followed(url, { kind: 'sse' })
  await until('it goes on', () => entries.some(({ eventId }) => eventId === '3'))
  expect(entries.filter(({ kind }) => kind === 'event').map(({ eventId }) => eventId)).toEqual([
    '1',
    '2',
    '3',
  ])
})

test('stored entries are counted; hosts of private streams aren’t named', async () => {
  const { context, parts } = composed
  const urls = new Map([
    [SHARED_ID, { url: 'https://shared.test/', proxyKey: null, headers: {} }],
    [PRIVATE_ID, { url: 'https://private.test/', proxyKey: 'key', headers: { 'x-key': 'mine' } }],
  ])
  const runs = spyOn(parts.holder, 'run').mockImplementation((id) =>
    urls.has(id) ? ({ stream: urls.get(id) as unknown as Stream } as never) : undefined,
  )
  const failed = (streamId: string) =>
    ({ streamId, kind: 'error', at: Date.now(), wireBytes: 1, bodyBytes: 0, data: '{"code":"x"}' }) as Entry
  context.bus.publish({ type: 'entries.stored', entries: [failed(SHARED_ID), failed(PRIVATE_ID)] })
  expect(sample('weir_upstream_errors_total', { host: 'shared.test' })).toBeGreaterThan(0)
  expect(sample('weir_upstream_errors_total', { host: 'private.test' })).toBeUndefined()
  expect(sample('weir_upstream_errors_total', { host: 'unknown', code: 'x' })).toBeGreaterThan(0)
  runs.mockRestore()
})

test('writes are measured, and those that fail are told of', async () => {
  const { context, warnings } = composed
  expect(sample('weir_recorder_batch_seconds_count', { outcome: 'stored' })).toBeGreaterThan(0)
  let isFull = true
  const away = new Proxy(context.db, {
    get(db, name) {
      if (isFull) throw new Error('the disk is full')
      const value = Reflect.get(db, name)
      return typeof value === 'function' ? value.bind(db) : value
    },
  }) as Database
  const { recorder } = buildParts({ ...context, db: away }, undefined)
  const stream = { id: SHARED_ID, kind: 'poll', intervalMs: 1_000 } as Stream
  const run = { stream, epoch: 1, checkpoint: { seq: 0 }, fenced: new AbortController(), evidence: {} }
  recorder.append(
    run as never,
    { kind: 'event', at: Date.now(), wireBytes: 1, bodyBytes: 1, data: '1' } as never,
  )
  const told = await until('it is told', () => warnings.find((each) => each.includes("Can't store entries")))
  expect(told).toContain('1 are waiting: the disk is full')
  expect(sample('weir_recorder_batch_seconds_count', { outcome: 'failed' })).toBeGreaterThan(0)
  isFull = false
  await recorder.close()
})

test('open pages are refreshed, and attempts of deliveries are counted', async () => {
  const { context, parts } = composed
  const refresh = spyOn(parts.pages.views, 'refresh')
  context.bus.publish({ type: 'channel.updated' })
  expect(refresh).toHaveBeenCalledWith('channels')
  const channels = new Channels(context)
  const url = composed.upstream.on('/hook', () => new Response('taken'))
  const secret = `whsec_${btoa('a key of thirty-two bytes, or so')}`
  const { id: channelId } = await channels.add({ name: 'Hook', kind: 'webhook', config: { url, secret } })
  const message = {
    type: 'test',
    title: 'A',
    text: 'B',
    at: new Date(),
    severity: 'info',
    streams: [],
  } as const
  const [stored] = await parts.notifier.store(context.db, message, [channelId])
  await parts.deliverer.attempt(stored?.id as string)
  expect(sample('weir_delivery_attempts_total', { kind: 'webhook', outcome: 'delivered' })).toBe(1)
})

test('readiness depends on the queue, except for a process that only serves pages', async () => {
  const { context, parts } = composed
  const names = async (role: 'all' | 'web' | 'worker') => {
    const { readiness } = buildParts({ ...context, config: { ...context.config, role } }, undefined)
    return (await readiness.report()).checks.map(({ name }) => name)
  }
  expect(await names('all')).toEqual(['process', 'database', 'schema', 'queue', 'workers', 'recording'])
  expect(await names('worker')).toContain('queue')
  expect(await names('web')).toEqual(['process', 'database', 'schema'])
  expect(parts.readiness.isClosing).toBe(false)
})

test('at the end everything is closed, in order, after what is drained', async () => {
  const own = await compose({ DRAIN_MS: '700', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' })
  const { parts } = own
  const order: string[] = []
  for (const name of [
    'proxy',
    'upstreamRate',
    'pages',
    'large',
    'recorder',
    'fanout',
    'deliverer',
    'archive',
  ] as const) {
    const part = parts[name] as unknown as { close(): unknown }
    const close = part.close.bind(part)
    spyOn(part, 'close').mockImplementation(() => {
      order.push(name)
      return close()
    })
  }
  const observation = spyOn(Observation.prototype, 'close')
  const sleep = spyOn(Bun, 'sleep').mockImplementation((async (ms: number) => {
    if (ms === 700) order.push(`drained, closing: ${parts.readiness.isClosing}`)
  }) as typeof Bun.sleep)
  parts.readiness.started()
  try {
    await own.close()
  } finally {
    sleep.mockRestore()
  }
  expect(order).toEqual([
    'drained, closing: true',
    ...['archive', 'deliverer', 'proxy', 'upstreamRate', 'pages', 'large', 'recorder', 'fanout'],
  ])
  expect(observation).toHaveBeenCalledTimes(1)
  observation.mockRestore()
})

test('a Weir that never started isn’t drained', async () => {
  const own = await compose({ DRAIN_MS: '700' })
  const sleep = spyOn(Bun, 'sleep')
  await own.close()
  const waits = sleep.mock.calls.map(([ms]) => ms)
  sleep.mockRestore()
  expect(waits).not.toContain(700)
})
