import { expect, spyOn, test } from 'bun:test'
import { currentRequest } from '../../src/observe/context.ts'
import { createLog } from '../../src/observe/log.ts'
import { expose, type MetricFamily } from '../../src/observe/metrics.ts'
import { ProcessMetrics } from '../../src/observe/process-metrics.ts'
import { Readiness } from '../../src/observe/readiness.ts'
import { Recording } from '../../src/observe/recording.ts'
import { Requests } from '../../src/observe/requests.ts'
import { Scrape } from '../../src/observe/scrape.ts'
import { tracedFetch } from '../../src/observe/traced-fetch.ts'
import { probeRoutes } from '../../src/routes/operation/probes.ts'
import type { Database } from '../../src/storage/storage.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { holdTimers } from '../support/timers.ts'
import { readMetrics } from './exposition.ts'

const NOW = Date.UTC(2026, 2, 1)

/** All samples, by name and labels as they are exposed. */
function samplesOf(families: Iterable<MetricFamily>): Record<string, number> {
  const lines = expose(families)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => line.split(/ (?=\S+$)/)).map(([name, value]) => [name, Number(value)]),
  )
}

function entry(more: Partial<Entry>): Entry {
  return { streamId: 'a', kind: 'event', at: NOW, wireBytes: 1, bodyBytes: 2, ...more } as Entry
}

test('gaps and dropped entries are counted by reason, and delays in seconds', () => {
  const recording = new Recording({ now: () => NOW + 2_500, tracer: undefined })
  recording.stored(
    [
      entry({ at: NOW }),
      entry({ kind: 'gap', data: '{"reason":"buffer_full","count":7}', at: NOW + 1_000 }),
      entry({ kind: 'gap', data: '{"reason":"restart"}', at: NOW + 1_000 }),
    ],
    () => undefined,
  )
  recording.wrote(1_500, undefined)
  expect(samplesOf(recording.families())).toMatchObject({
    'weir_gaps_total{reason="buffer_full"}': 1,
    'weir_gaps_total{reason="restart"}': 1,
    weir_entries_dropped_total: 7,
    weir_recorder_delay_seconds_sum: 2.5,
    'weir_recorder_batch_seconds_sum{outcome="stored"}': 1.5,
  })
})

test('a request’s time is in seconds, and an ID that isn’t plain is replaced', async () => {
  const clock = spyOn(performance, 'now')
  clock.mockReturnValueOnce(1_000).mockReturnValueOnce(1_250)
  const requests = new Requests({
    log: await createLog({ format: 'text', level: 'error', secrets: [] }),
    tracer: undefined,
  })
  const request = new Request('http://weir.test/', { headers: { 'X-Request-Id': 'forged line' } })
  const response = await requests.answer(request, () => new Response())
  clock.mockRestore()
  expect(samplesOf(requests.families())).toMatchObject({
    'weir_http_request_duration_seconds_sum{method="GET",route="none"}': 0.25,
  })
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('the process: CPU in seconds, the delay of its loop without the interval, and no timer once closed', () => {
  using timers = holdTimers()
  const clock = spyOn(performance, 'now').mockReturnValue(0)
  const metrics = new ProcessMetrics()
  const [look] = timers.set()
  expect(look?.ms).toBe(500)
  clock.mockReturnValue(700)
  look?.fire()
  clock.mockRestore()
  const usage = spyOn(process, 'cpuUsage').mockReturnValue({ user: 1_500_000, system: 500_000 })
  expect(samplesOf(metrics.families())).toMatchObject({
    process_cpu_seconds_total: 2,
    weir_event_loop_delay_seconds_sum: 0.2,
  })
  usage.mockRestore()
  metrics.close()
  expect(timers.set()).toEqual([])
})

test('a source that hangs is left out of a scrape after two seconds', async () => {
  const hanging = { name: 'database', read: () => new Promise<never>(() => {}) }
  using timers = holdTimers()
  const text = new Scrape({ own: [], sources: [hanging], now: () => NOW }).text()
  const [late] = timers.set()
  expect(late?.ms).toBe(2_000)
  late?.fire()
  expect(readMetrics(await text).get('weir_source_up')?.samples[0]?.value).toBe(0)
})

test('readiness waits two seconds for a part, and doesn’t repeat what it says', async () => {
  const reported = async (db: object) =>
    (await new Readiness({ db: db as Database, schema: 1, queue: undefined }).report()).checks[1]
  const refuses = { execute: () => Promise.reject(new Error('no user weir at db.internal')) }
  expect(await reported(refuses)).toEqual({ name: 'database', ok: false, detail: 'Unreachable.' })
  using timers = holdTimers()
  const asked = reported({ execute: () => new Promise(() => {}) })
  const [late] = timers.set()
  expect(late?.ms).toBe(2_000)
  late?.fire()
  expect(await asked).toMatchObject({ detail: 'Unreachable: no response within 2 s.' })
})

test('/readyz is cached while ready; that it isn’t, and a shutdown, show at once', async () => {
  let status = 'not_ready'
  const readiness = { isClosing: false, report: async () => ({ status, checks: [] }) }
  const app = probeRoutes({ readiness: readiness as never, scrape: {} as never, now: () => NOW })
  const ask = async () => (await app.handle(new Request('http://weir.test/readyz'))).status
  expect(await ask()).toBe(503)
  status = 'ready'
  expect(await ask()).toBe(200)
  status = 'not_ready'
  expect(await ask()).toBe(200)
  readiness.isClosing = true
  expect(await ask()).toBe(503)
})

test('a short secret isn’t hidden: masked words would reveal it', async () => {
  const lines: string[] = []
  const log = await createLog({
    format: 'text',
    level: 'info',
    secrets: ['secret', 'secrets!'],
    out: (line) => void lines.push(line),
  })
  log.info('a secret of secrets!')
  expect(lines).toEqual(['a secret of …\n'])
})

test('neither a span nor a log line has what follows in a URL', async () => {
  const spans: unknown[] = []
  const tracer = {
    begin: () => ({ traceId: '1', spanId: '1' }),
    now: () => 0,
    end: (...all: unknown[]) => void spans.push(all),
  }
  await tracedFetch(async () => new Response(), tracer as never, false)('https://a.test/path?key=hush', {})
  expect(JSON.stringify(spans)).toContain('https://a.test/path')
  expect(JSON.stringify(spans)).not.toContain('hush')
  const lines: unknown[] = []
  const push = (...all: unknown[]) => void lines.push(all)
  const log = { debug: push, info: push, writes: () => true }
  const requests = new Requests({ log: log as never, tracer: undefined })
  await requests.answer(new Request('http://weir.test/proxy/https%3A%2F%2Fhush.test'), () => {
    Object.assign(currentRequest() as object, { route: '/proxy/*' })
    return new Response()
  })
  const pushed = new Request('http://weir.test/in/hush', { method: 'POST' })
  await requests.answer(pushed, () => {
    Object.assign(currentRequest() as object, { route: '/in/:token' })
    return new Response(null, { status: 503 })
  })
  expect(JSON.stringify(lines)).toContain('GET /proxy/*')
  expect(JSON.stringify(lines)).toContain('POST /in/:token')
  expect(JSON.stringify(lines)).not.toContain('hush')
})
