import { expect, test } from 'bun:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import fc from 'fast-check'
import { encodeComment, encodeMessage, encodeRetry, type SseMessage } from '../../src/core/sse.ts'
import { Properties } from './property.ts'

const properties = new Properties('core/sse')

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test.each<[string, SseMessage, string]>([
  ['a message', { data: 'one' }, 'data: one\n\n'],
  ['no data', { data: '' }, 'data: \n\n'],
  ['two lines', { data: 'one\ntwo' }, 'data: one\ndata: two\n\n'],
  ['a line that ends in CR', { data: 'one\rtwo' }, 'data: one\ndata: two\n\n'],
  ['a line that ends in CRLF', { data: 'one\r\ntwo' }, 'data: one\ndata: two\n\n'],
  ['LF before CR, which are two line ends', { data: 'one\n\rtwo' }, 'data: one\ndata: \ndata: two\n\n'],
  ['a line end at the end', { data: 'one\n' }, 'data: one\ndata: \n\n'],
  ['data that looks like fields', { data: 'id: 1\n: x' }, 'data: id: 1\ndata: : x\n\n'],
  ['NUL in data', { data: 'a\0b' }, 'data: a\0b\n\n'],
  ['every field', { data: 'x', event: 'e', id: '7', retry: 9.6 }, 'event: e\nid: 7\nretry: 10\ndata: x\n\n'],
  ['an id that resets', { data: 'x', id: '' }, 'id: \ndata: x\n\n'],
  ['more than ASCII', { data: 'zł😀', event: 'ż', id: 'é' }, 'event: ż\nid: é\ndata: zł😀\n\n'],
])('%s is encoded line by line', (_what, message, expected) => {
  expect(text(encodeMessage(message))).toBe(expected)
})

test.each(['event', 'id'] as const)('a line end or NUL in %s is refused, wherever it stands', (field) => {
  for (const character of ['\n', '\r', '\r\n', '\0']) {
    for (const value of [character, `a${character}`, `${character}a`, `a${character}data: b`]) {
      expect(() => encodeMessage({ data: '', [field]: value })).toThrow(TypeError)
    }
  }
})

test('a comment is one line that readers ignore', () => {
  expect(text(encodeComment('heartbeat'))).toBe(': heartbeat\n\n')
  for (const value of ['a\nb', 'a\rb', 'a\0b']) expect(() => encodeComment(value)).toThrow(TypeError)
})

test.each([
  [1000, 'retry: 1000\n\n'],
  [1499.5, 'retry: 1500\n\n'],
  [0, 'retry: 0\n\n'],
])('a reconnection time of %p ms is written as an integer', (retryMs, expected) => {
  expect(text(encodeRetry(retryMs))).toBe(expected)
})

test('another parser reads back what was encoded, in any chunks', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1 })
  const inputs = fc.record({ sent: fc.array(messages(), { minLength: 1, maxLength: 8 }), sizes })
  properties.check(inputs, ({ sent, sizes }) => {
    const bytes = Buffer.concat(
      sent.flatMap((message) => [encodeMessage(message), encodeComment('beat'), encodeRetry(77)]),
    )
    const read = parse(cut(bytes, sizes))
    expect(read.messages).toEqual(sent.map(asRead))
    expect(read.retries).toEqual(sent.flatMap(({ retry }) => (retry === undefined ? [77] : [retry, 77])))
  })
})

const PIECES = ['a', ' ', ':', 'data: ', '😀', 'ż', '\u2028', '\uFEFF', '\t', '{"a":1}', '\\n', '%']

function messages(): fc.Arbitrary<SseMessage> {
  const text = (pieces: readonly string[]) =>
    fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map((parts) => parts.join(''))
  const line = text(PIECES)
  return fc.record(
    {
      data: text([...PIECES, '\n', '\r', '\r\n', '\0']),
      event: line.map((rest) => `e${rest}`),
      id: line.map((rest) => `i${rest}`),
      retry: fc.nat(10_000),
    },
    { requiredKeys: ['data'] },
  )
}

/** What a reader makes of a message: every line end is LF. */
function asRead({ data, event, id }: SseMessage): EventSourceMessage {
  return { data: data.replace(/\r\n?/g, '\n'), event, id }
}

function parse(chunks: Uint8Array[]) {
  const messages: EventSourceMessage[] = []
  const retries: number[] = []
  const parser = createParser({
    onEvent: ({ data, event, id }) => messages.push({ data, event, id }),
    onRetry: (retryMs) => retries.push(retryMs),
    onError: (error) => {
      throw error
    },
  })
  const decoder = new TextDecoder()
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }))
  return { messages, retries }
}

/** Chunks of these sizes, over and over. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + (sizes[chunks.length % sizes.length] as number)
    chunks.push(bytes.subarray(at, end))
    at = end
  }
  return chunks
}
