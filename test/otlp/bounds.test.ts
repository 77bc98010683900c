import { expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { Problem } from '../../src/errors.ts'
import { unpack } from '../../src/otlp/body.ts'
import { SpanCalls } from '../../src/otlp/calls.ts'
import { otlpEncodingOf } from '../../src/otlp/encodings.ts'
import { RecentIds } from '../../src/otlp/recent-ids.ts'
import { Gathering, type RawSpan, type ReceivedSpan } from '../../src/otlp/spans.ts'
import { holdTimers } from '../support/timers.ts'

const SERVICE = { id: 'a' }
const RAW: RawSpan = {
  ...{ traceId: '1'.repeat(32), spanId: '1'.repeat(16), parentSpanId: '', kind: 3, statusCode: 0 },
  ...{ startNs: 1_000_000n, endNs: 21_500_000n, attributes: new Map() },
}

test('the last IDs are remembered, and older ones are forgotten', () => {
  const ids = new RecentIds(2)
  expect(['a', 'b', 'c'].map((id) => ids.add(id))).toEqual([true, true, true])
  expect(['a', 'b', 'c'].map((id) => ids.add(id))).toEqual([false, false, false])
  expect(['d', 'e', 'a'].map((id) => ids.add(id))).toEqual([true, true, true])
  expect(new RecentIds().max).toBe(100_000)
})

test.each([
  ['too_many', 8],
  ['body_too_large', 8],
  ['bad_request', 3],
] as const)('an exporter is told of %s by code %d', async (code, expected) => {
  const failure = await otlpEncodingOf('application/json').failure(new Problem(code, 'no'))
  expect(JSON.parse(failure as string)).toEqual({ code: expected, message: 'no' })
})

test('the number of rejected spans is an int64, which is text in JSON', async () => {
  const success = await otlpEncodingOf('application/json').success(3, 'why')
  expect(JSON.parse(success as string)).toEqual({
    partialSuccess: { rejectedSpans: '3', errorMessage: 'why' },
  })
})

test('a small body doesn’t become a large one', () => {
  const bomb = gzipSync(new Uint8Array(16_777_217))
  expect(() => unpack(bomb, 'gzip')).toThrow('exceeds 16777216 bytes')
  expect(unpack(gzipSync(new Uint8Array(1_000)), 'gzip')).toHaveLength(1_000)
})

test('spans and parts of a request are bounded', () => {
  const gathering = new Gathering()
  for (let each = 0; each < 20_000; each++) {
    expect(gathering.isFull).toBe(false)
    gathering.add(SERVICE, RAW)
  }
  expect(gathering.isFull).toBe(true)
  gathering.countParts(200_000)
  expect(() => gathering.countParts(1)).toThrow('more than 200000')
})

test.each([
  ['20.5 ms', {}, 20.5],
  ['a day', { endNs: 1_000_000n + 86_400_000_000_000n }, 86_400_000],
  ['more than a day, as by a clock that was set', { endNs: 2_000_000n + 86_400_000_000_000n }, undefined],
  ['less than nothing', { endNs: 1n }, undefined],
])('a duration may be %s', (_what, more, expected) => {
  const gathering = new Gathering()
  gathering.add(SERVICE, { ...RAW, ...more })
  expect(gathering.spans[0]?.durationMs).toBe(expected as number)
})

test('a call waits fifteen seconds for its other end, then goes to its address; nothing is left once closed', () => {
  using timers = holdTimers()
  const reports: unknown[] = []
  let now = 0
  const calls = new SpanCalls({
    report: (report) => void reports.push(...(report.calls ?? [])),
    warn: () => {},
    now: () => now,
  })
  const span: ReceivedSpan = {
    ...{ service: SERVICE, kind: 'client', traceId: '1', spanId: '1', isError: false },
    attributes: new Map([['server.address', 'db.test']]),
  }
  calls.take([span])
  const [late] = timers.set()
  expect(late?.ms).toBe(15_000)
  expect(reports).toEqual([])
  now = 15_000
  late?.fire()
  expect(reports).toEqual([{ from: 'a', to: 'db.test', status: 200 }])
  calls.take([{ ...span, spanId: '2' }])
  expect(timers.set()).toHaveLength(1)
  calls.close()
  expect(timers.set()).toEqual([])
})

test('ends of calls that wait are bounded', () => {
  using timers = holdTimers()
  const reports: unknown[] = []
  const calls = new SpanCalls({
    report: (report) => void reports.push(...(report.calls ?? [])),
    warn: () => {},
    now: () => 0,
  })
  const attributes = new Map([['server.address', 'db.test']])
  const spans = Array.from(
    { length: 20_001 },
    (_, at): ReceivedSpan => ({
      ...{ service: SERVICE, kind: 'client', traceId: '1', spanId: String(at), isError: false, attributes },
    }),
  )
  calls.take(spans)
  expect(reports).toHaveLength(1)
  calls.close()
  expect(timers.set()).toEqual([])
})
