import { expect, test } from 'bun:test'
import { fromBinary } from '@bufbuild/protobuf'
import { RESPONSE, STATUS } from '../../src/otlp/messages.ts'
import { MAX_PARTS, MAX_SPANS } from '../../src/otlp/spans.ts'
import { id, JSON_TYPE, PROTOBUF, requestOf, startReceiver, type TestSpan } from './receiver.ts'

const CALL: TestSpan[] = [
  {
    service: 'cart',
    kind: 'client',
    spanId: id(1),
    isError: true,
    attributes: { 'db.system': 'redis', a: [1] },
  },
  { service: 'stock', kind: 'server', spanId: id(2), parent: id(1), attributes: { 'http.status_code': 200 } },
]

test('every prefix of a request is accepted or rejected with 400, and never crashes', async () => {
  await using receiver = startReceiver()
  const whole = requestOf(CALL)
  const statuses = new Map<number, number>()
  for (let length = 0; length <= whole.length; length++) {
    const { status, headers } = await receiver.post(whole.slice(0, length))
    expect([status, headers.get('content-type')]).toEqual([status === 200 ? 200 : 400, PROTOBUF])
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  // Nothing, the first service alone, and all of it.
  expect(statuses.get(200)).toBe(3)
  expect(statuses.get(400)).toBe(whole.length - 2)
  expect(receiver.nodes().sort()).toEqual(['cart', 'redis', 'stock'])
})

test('a request with any one byte changed is accepted or rejected', async () => {
  await using receiver = startReceiver()
  const whole = requestOf(CALL)
  for (let at = 0; at < whole.length; at++) {
    const changed = whole.slice()
    changed[at] = (changed[at] ?? 0) ^ 0xff
    expect([200, 400]).toContain((await receiver.post(changed)).status)
  }
  expect(receiver.warnings).toEqual([])
})

test('nothing of a rejected request is counted', async () => {
  await using receiver = startReceiver()
  const response = await receiver.post(requestOf(CALL).slice(0, -1))
  const { code, message } = fromBinary(STATUS, await response.bytes())
  expect([code, message]).toEqual([3, "The body isn't a complete ExportTraceServiceRequest."])
  expect(receiver.nodes()).toEqual([])
})

test.each([
  ['', "isn't an ExportTraceServiceRequest"],
  ['{"resourceSpans": [', "isn't an ExportTraceServiceRequest"],
  ['[]', 'the body must be an object'],
  ['{"resourceSpans": {}}', 'resourceSpans must be a list'],
  ['{"resourceSpans": [1]}', 'an item of resourceSpans must be an object'],
  ['{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 7}]}]}]}', 'traceId must be a string'],
  ['{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": "SERVER"}]}]}]}', 'a number must be whole'],
  ['['.repeat(1_000_000), "isn't an ExportTraceServiceRequest"],
  [new Uint8Array([0x22, 0xff, 0xfe, 0x22]), "isn't an ExportTraceServiceRequest"],
])('JSON %.60p is rejected with a message', async (body, sentence) => {
  await using receiver = startReceiver()
  const response = await receiver.post(body, { 'Content-Type': 'application/json; charset=utf-8' })
  expect([response.status, response.headers.get('content-type')]).toEqual([400, JSON_TYPE])
  const { code, message } = (await response.json()) as { code: number; message: string }
  expect(code).toBe(3)
  expect(message).toContain(sentence)
})

test.each(['text/plain', 'application/grpc', 'application/x-protobuffer', ''])(
  '%p isn’t a supported content type',
  async (type) => {
    await using receiver = startReceiver()
    const response = await receiver.post(requestOf(CALL), { 'Content-Type': type })
    expect([response.status, await response.json()]).toMatchObject([415, { code: 'unsupported_media_type' }])
  },
)

test.each([
  ['gzip', Bun.gzipSync(requestOf(CALL)), 200, undefined],
  ['identity', requestOf(CALL), 200, undefined],
  ['gzip', requestOf(CALL), 400, "isn't valid gzip"],
  ['gzip', Bun.gzipSync(requestOf(CALL)).slice(0, -9), 400, 'is incomplete'],
  ['br', requestOf(CALL), 415, 'expected gzip'],
  ['gzip', Bun.gzipSync(new Uint8Array(16_777_217)), 413, 'decompressed body exceeds 16777216 bytes'],
  ['gzip', Bun.gzipSync(new Uint8Array(400_000_000)), 413, 'decompressed body exceeds 16777216 bytes'],
  ['identity', new Uint8Array(4_194_305), 413, '4194304 bytes'],
])('a body that says %p: %#', async (encoding, body, status, sentence) => {
  await using receiver = startReceiver()
  const response = await receiver.post(body, { 'Content-Encoding': encoding })
  expect(response.status).toBe(status)
  if (sentence !== undefined) expect(fromBinary(STATUS, await response.bytes()).message).toContain(sentence)
})

test('spans beyond the limit, or without IDs, are rejected and counted; the others are accepted', async () => {
  await using receiver = startReceiver()
  const zero = { service: 'lost', spanId: '0'.repeat(16) }
  const spans = Array.from({ length: MAX_SPANS + 5 }, (_, at) => ({ service: 'shop', spanId: id(at) }))
  for (const type of [PROTOBUF, JSON_TYPE]) {
    const some = await receiver.post(requestOf([zero, ...CALL], type), { 'Content-Type': type })
    const many = await receiver.post(Bun.gzipSync(requestOf(spans, type)), {
      'Content-Type': type,
      'Content-Encoding': 'gzip',
    })
    expect([await partial(some), await partial(many)]).toEqual([
      [1, 'A span requires a nonzero trace ID of 16 bytes and span ID of 8 bytes.'],
      [5, `A request may contain at most ${MAX_SPANS} spans.`],
    ])
  }
  expect(receiver.nodes().sort()).toEqual(['cart', 'redis', 'shop', 'stock'])
})

test('a request of only empty parts is rejected as a whole', async () => {
  await using receiver = startReceiver()
  const empty = new Uint8Array(16_000_000).fill(0).map((_, at) => (at % 2 === 0 ? 0x0a : 0))
  const lists = `{"resourceSpans": [${'{},'.repeat(MAX_PARTS)}{}]}`
  for (const [type, body] of [
    [PROTOBUF, empty],
    [JSON_TYPE, new TextEncoder().encode(lists)],
  ] as const) {
    const headers = { 'Content-Type': type, 'Content-Encoding': 'gzip' }
    expect((await receiver.post(Bun.gzipSync(body), headers)).status).toBe(413)
  }
})

test('of many large concurrent requests, some get 429 and the rest is accepted', async () => {
  await using receiver = startReceiver()
  const spans = Array.from({ length: MAX_SPANS }, (_, at) => ({ spanId: id(at) }))
  const body = Bun.gzipSync(requestOf(spans))
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => receiver.post(body, { 'Content-Encoding': 'gzip' })),
  )
  const refused = answers.filter(({ status }) => status === 429)
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]))
  expect(new Set(refused.map(({ headers }) => headers.get('retry-after')))).toEqual(new Set(['1']))
  await receiver.send(...CALL)
})

test('an oversized span is rejected alone', async () => {
  await using receiver = startReceiver()
  const large = { service: 'shop', spanId: id(9), attributes: { text: 'x'.repeat(300_000) } }
  const [refused, reason] = await partial(await receiver.post(requestOf([large, ...CALL])))
  expect([refused, reason]).toEqual([1, 'A span and a resource may have 262144 bytes each.'])
  expect(receiver.nodes().sort()).toEqual(['cart', 'redis', 'stock'])
})

async function partial(response: Response): Promise<[refused: number, reason: string]> {
  if (response.headers.get('content-type') === JSON_TYPE) {
    const { partialSuccess } = (await response.json()) as {
      partialSuccess: { rejectedSpans: string; errorMessage: string }
    }
    return [Number(partialSuccess.rejectedSpans), partialSuccess.errorMessage]
  }
  const { partialSuccess } = fromBinary(RESPONSE, await response.bytes())
  return [Number(partialSuccess?.rejectedSpans), partialSuccess?.errorMessage ?? '']
}
