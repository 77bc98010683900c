import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { LogFields } from '../../src/observe/log.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { readMetrics } from './exposition.ts'

const ROOT = join(import.meta.dir, '../..')
const TOKEN = 'a-token-of-these-tests'
const COLLECTOR_KEY = 'a-key-of-the-collector'
/** A key of Standard Webhooks. */
const SECRET = `whsec_${btoa('a key of thirty-two bytes, or so')}`
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
/** Names in PromQL that are none of a metric. */
const PROMETHEUS_OWN = new Set(['up'])

interface SentSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: { key: string; value: Record<string, string> }[]
  status: { code?: number; message?: string }
}

let upstream: Upstream
let weir: TestWeir
const lines: { level: string; message: string; fields: LogFields | undefined }[] = []
const spans: SentSpan[] = []
const collected: Request[] = []
/** What the upstream that fails was told of the trace. */
const traceparents: (string | null)[] = []

beforeAll(async () => {
  upstream = startUpstream()
  upstream.on('/v1/traces', async (request) => {
    collected.push(request)
    const { resourceSpans } = (await request.json()) as {
      resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[]
    }
    spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
    return Response.json({})
  })
  const told = (level: string) => (message: string, fields?: LogFields) =>
    void lines.push({ level, message, fields })
  const log = {
    debug: told('debug'),
    info: told('info'),
    warn: () => {},
    error: () => {},
    writes: () => true,
  }
  const environment = {
    WEIR_TOKEN: TOKEN,
    OTEL_EXPORTER_OTLP_ENDPOINT: upstream.url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${COLLECTOR_KEY}`,
    TRACE_UPSTREAMS: 'yes',
  }
  weir = await startTestWeir(environment, { log })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) }
  return fetch(weir.url + path, { ...init, headers })
}

async function post<T>(path: string, body: unknown): Promise<T> {
  const response = await ask(path, { method: 'POST', body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`)
  return response.json() as Promise<T>
}

async function figures() {
  const response = await ask('/metrics')
  const text = await response.text()
  const families = readMetrics(text)
  const of = (name: string, labels: Record<string, string> = {}) =>
    families
      .get(name.replace(/_(bucket|sum|count)$/, '')) // A histogram's samples are under its own name.
      ?.samples.filter((sample) => sample.name === name)
      .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
      .reduce((sum, { value }) => sum + value, 0)
  const one = (name: string, labels?: Record<string, string>) =>
    of(name, labels) ?? families.get(name)?.samples[0]?.value ?? Number.NaN
  return { text, families, of: one, type: response.headers.get('content-type') }
}

test('what Weir follows, records, sends and responds is counted', async () => {
  const feed = new Feed()
  const streamed = upstream.on('/feed', () => feed.response())
  const broken = upstream.on('/broken', ({ headers }) => {
    traceparents.push(headers.get('traceparent'))
    return new Response('no', { status: 500 })
  })
  const hook = upstream.on('/hook', () => new Response('gone', { status: 503 }))
  const poll = { kind: 'poll', intervalMs: 60_000 }
  const { id } = await post<{ id: string }>('/api/streams', { url: streamed, kind: 'sse' })
  await post('/api/streams', { url: broken, ...poll })
  await post('/api/channels', {
    name: 'Hook',
    kind: 'webhook',
    config: { url: hook, secret: SECRET },
    isDefault: true,
  })
  await until('the feed is read', () => feed.readers === 1)
  feed.send('data: one\n\n')
  await post(`/api/streams/${id}/notify`, { message: 'Hello' })
  const reader = await ask(`/api/streams/${id}/events`)
  const { host } = new URL(upstream.url)
  const told = await until('all has been counted', async () => {
    const now = await figures()
    const isAll =
      now.of('weir_entries_stored_total', { kind: 'event' }) >= 1 &&
      now.of('weir_upstream_errors_total', { host, code: 'bad_status' }) >= 1 &&
      now.of('weir_delivery_attempts_total', { kind: 'webhook', outcome: 'retry' }) >= 1 &&
      now.of('weir_streams', { kind: 'sse', status: 'live' }) === 1 &&
      now.of('weir_event_loop_delay_seconds_count') > 0
    return isAll && now
  })
  await reader.body?.cancel()
  expect(told.type).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(told.of('weir_streams')).toBe(2)
  expect(told.of('weir_streams', { status: 'backing-off', kind: 'poll' })).toBe(1)
  expect(told.of('weir_streams_held')).toBe(2)
  expect(told.of('weir_fanout_subscribers')).toBe(1)
  expect(told.of('weir_received_bytes_total', { of: 'wire' })).toBeGreaterThan(0)
  expect(told.of('weir_log_entries')).toBeGreaterThanOrEqual(told.of('weir_entries_stored_total'))
  expect(told.of('weir_recorder_batch_seconds_count', { outcome: 'stored' })).toBeGreaterThan(0)
  expect(told.of('weir_recorder_delay_seconds_count')).toBeGreaterThan(0)
  expect(told.of('weir_queue_jobs', { queue: 'streams', state: 'active' })).toBe(2)
  expect(told.of('weir_deliveries_pending')).toBe(1)
  expect(told.of('weir_workers')).toBe(1)
  expect(told.of('weir_log_size_bytes')).toBeGreaterThan(0)
  expect(told.of('weir_source_up')).toBe(4)
  expect(told.of('weir_http_requests_total', { method: 'POST', route: '/api/streams', status: '201' })).toBe(
    2,
  )
  expect(told.of('weir_http_request_duration_seconds_count', { route: '/api/streams' })).toBe(2)
  expect(told.of('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(told.of('process_cpu_seconds_total')).toBeGreaterThan(0)
  expect(told.families.get('weir_build_info')?.samples[0]?.labels).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    bun: Bun.version,
    role: 'all',
  })
  expect(told.text).not.toContain(id)
})

test('the dashboard and the alerts use existing metrics and labels', async () => {
  const { families } = await figures()
  const known = new Set([...families].flatMap(([name, { type }]) => (type === 'histogram' ? [] : [name])))
  for (const [name, { type }] of families) {
    if (type === 'histogram') for (const end of ['bucket', 'sum', 'count']) known.add(`${name}_${end}`)
  }
  const { panels } = (await Bun.file(join(ROOT, 'ops/grafana/weir.json')).json()) as {
    panels: { id: number; type: string; gridPos: object; targets?: { expr: string }[] }[]
  }
  const shown = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  const { groups } = Bun.YAML.parse(await Bun.file(join(ROOT, 'ops/prometheus/alerts.yaml')).text()) as {
    groups: { rules: { alert: string; expr: string; labels: { severity: string } }[] }[]
  }
  const alerts = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr))
  expect(shown.length).toBeGreaterThan(30)
  expect(alerts.length).toBeGreaterThan(15)
  const asked = [...shown, ...alerts].flatMap((expr) => {
    const names = expr.replace(/"[^"]*"/g, '""').matchAll(/\b((?:weir|process)_\w+|up)\b(?=[{[\s)]|$)/g)
    return [...names].map(([name]) => name)
  })
  expect(asked.length).toBeGreaterThanOrEqual(shown.length + alerts.length)
  expect(asked.filter((name) => !known.has(name) && !PROMETHEUS_OWN.has(name))).toEqual([])
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
})

// Prometheus' own checker: not on every developer's machine; CI installs it, and there a skipped test is a failure.
test.skipIf(Bun.which('promtool') === null)(
  'promtool has nothing to say of the metrics and the alerts',
  async () => {
    const { text } = await figures()
    const check = async (...args: string[]) => {
      const child = Bun.spawn(['promtool', 'check', ...args], {
        stdin: new Blob([text]),
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const told = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
      return { code: await child.exited, told: told.join('') }
    }
    expect(await check('metrics')).toEqual({ code: 0, told: '' })
    expect((await check('rules', join(ROOT, 'ops/prometheus/alerts.yaml'))).code).toBe(0)
  },
)

test('metrics require authentication; readiness doesn’t', async () => {
  expect((await weir.get('/metrics')).status).toBe(401)
  expect((await weir.get('/healthz')).status).toBe(200)
  const ready = await weir.get('/readyz')
  expect(ready.status).toBe(200)
  const { status, checks } = (await ready.json()) as {
    status: string
    checks: { name: string; ok: boolean }[]
  }
  expect(status).toBe('ready')
  expect(checks.map(({ name }) => name)).toEqual([
    'process',
    'database',
    'schema',
    'queue',
    'workers',
    'recording',
  ])
})

test('a request has an ID in its response, problem and log', async () => {
  const given = await ask('/api/streams/nothing', { headers: { 'X-Request-Id': 'from/before:1' } })
  expect(given.headers.get('x-request-id')).toBe('from/before:1')
  expect(await given.json()).toMatchObject({ code: 'not_found', requestId: 'from/before:1' })
  const made = await ask('/api/status', { headers: { 'X-Request-Id': 'two words' } })
  expect(made.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  const refused = await weir.get('/api/status')
  expect(await refused.json()).toMatchObject({ requestId: refused.headers.get('x-request-id') })
  const line = lines.find(({ fields }) => fields?.path === '/api/streams/nothing')
  expect(line).toEqual({
    level: 'debug',
    message: 'GET /api/streams/:id',
    fields: { status: 404, ms: expect.any(Number), path: '/api/streams/nothing', caller: 'token' },
  })
})

test('no log line or span contains a token, or the URL of a proxy request', async () => {
  const before = lines.length
  await ask(`/proxy/${upstream.url}/secret-path?key=hidden-key&X-Sd-Token=${TOKEN}`).then((response) =>
    response.body?.cancel(),
  )
  await until('it was logged', () => lines.length > before)
  await until('its trace was sent', () => spans.some(({ name }) => name === 'GET /proxy/*'))
  const proxied = lines.filter(({ message }) => message.includes('/proxy/'))
  expect(proxied.map(({ fields }) => fields?.path)).toEqual([undefined])
  for (const secret of [TOKEN, COLLECTOR_KEY, 'hidden-key']) {
    expect(JSON.stringify([lines, spans]).includes(secret)).toBe(false)
  }
})

test('requests, polls, event streams, batches and deliveries are traced, and callers’ traces continue', async () => {
  const parent = `00-${TRACE}-00f067aa0ba902b7-01`
  await ask('/api/status', { headers: { traceparent: parent } })
  await ask('/api/status', { headers: { traceparent: parent.replace(/01$/, '00') } })
  const wanted = ['GET /api/status', 'poll', 'connect event stream', 'record batch', 'deliver webhook']
  const isSent = (name: string) => spans.some((span) => span.name === name)
  await until('all were sent', () => wanted.every(isSent) && spans.some(({ traceId }) => traceId === TRACE))
  const continued = spans.filter(({ traceId }) => traceId === TRACE)
  expect(continued.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
    ['GET /api/status', '00f067aa0ba902b7'],
  ])
  const failed = spans.find(({ name, status }) => name === 'poll' && status.code === 2)
  expect(failed?.status.message).toBe('500')
  expect(failed?.attributes).toContainEqual({
    key: 'url.full',
    value: { stringValue: `${upstream.url}/broken` },
  })
  for (const { traceId, spanId, startTimeUnixNano, endTimeUnixNano } of spans) {
    expect(traceId).toMatch(/^[\da-f]{32}$/)
    expect(spanId).toMatch(/^[\da-f]{16}$/)
    expect(BigInt(endTimeUnixNano) >= BigInt(startTimeUnixNano)).toBe(true)
  }
  const untraced = /\/(metrics|healthz|readyz|v1)/
  expect(spans.filter(({ name }) => untraced.test(name))).toEqual([])
  expect(collected[0]?.headers.get('authorization')).toBe(`Bearer ${COLLECTOR_KEY}`)
  // Asked for by TRACE_UPSTREAMS, the upstream is told which span its answer is part of.
  expect(spans.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`)).toContain(
    traceparents[0] as string,
  )
})
