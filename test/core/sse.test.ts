import { expect, test } from 'bun:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { encodeComment, encodeMessage, encodeRetry, type SseMessage } from '../../src/core/sse.ts'
import { integer, pick, type Random, seeded, several } from './seeded.ts'

const random = seeded('core/sse')

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
  for (let round = 0; round < 300; round++) {
    const sent = Array.from({ length: 1 + integer(random, 8) }, () => randomMessage(random))
    const bytes = Buffer.concat(
      sent.flatMap((message) => [encodeMessage(message), encodeComment('beat'), encodeRetry(77)]),
    )
    const read = parse(cut(random, bytes))
    expect(read.messages).toEqual(sent.map(asRead))
    expect(read.retries).toEqual(sent.flatMap(({ retry }) => (retry === undefined ? [77] : [retry, 77])))
  }
})

const PIECES = ['a', ' ', ':', 'data: ', '😀', 'ż', '\u2028', '\uFEFF', '\t', '{"a":1}', '\\n', '%']

function randomMessage(random: Random): SseMessage {
  const line = () => several(random, 5, () => pick(random, PIECES)).join('')
  const message: SseMessage = {
    data: several(random, 6, () => pick(random, [...PIECES, '\n', '\r', '\r\n', '\0'])).join(''),
  }
  if (random() < 0.5) message.event = `e${line()}`
  if (random() < 0.5) message.id = `i${line()}`
  if (random() < 0.3) message.retry = integer(random, 10_000)
  return message
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

function cut(random: Random, bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + integer(random, 12)
    chunks.push(bytes.subarray(at, end))
    at = end
  }
  return chunks
}
