import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/**
 * What browsers are held to by the web platform tests of event streams, asked of Weir: each stream, and the events
 * that it carries.
 * @see https://wpt.fyi/results/eventsource
 */

interface Case {
  name: string
  stream: string
  /** Name, data and, if it has one, ID. */
  events: readonly (readonly [name: string, data: string, id?: string])[]
  type?: string
}

const LONG = 'x'.repeat(4_096)
const LAST = 'that is all'

const CASES: readonly Case[] = [
  {
    name: 'only the first byte order mark is skipped',
    stream: '\uFEFFdata:first\n\n\uFEFFdata:unknown field\n\ndata:third\n\n',
    events: [
      ['message', 'first'],
      ['message', 'third'],
    ],
  },
  {
    name: 'of two byte order marks in a row, one belongs to the field',
    stream: '\uFEFF\uFEFFdata:lost\n\ndata:found\n\n',
    events: [['message', 'found']],
  },
  {
    name: 'comments end no event, whatever they contain',
    stream: `data:a\r:\0\n:\r\ndata:b\n:${LONG}\rdata:c\n:data:no\r:${LONG}\ndata:d\n\n`,
    events: [['message', 'a\nb\nc\nd']],
  },
  {
    name: 'an empty line of data is data',
    stream: 'data:\n\ndata\ndata\n\ndata:x\n\n',
    events: [
      ['message', ''],
      ['message', '\n'],
      ['message', 'x'],
    ],
  },
  {
    name: 'an event without data is none',
    stream: 'event:nothing\nid:5\n\ndata:x\n\n',
    events: [['message', 'x']],
  },
  {
    name: 'an empty name is the default name',
    stream: 'event: \ndata:x\n\n',
    events: [['message', 'x']],
  },
  {
    name: 'a name counts for one event',
    stream: 'event:named\ndata:x\n\ndata:y\n\n',
    events: [
      ['named', 'x'],
      ['message', 'y'],
    ],
  },
  {
    name: 'an ID belongs to its event, and may be empty',
    stream: 'id:1\ndata:a\n\ndata:b\n\nid\ndata:c\n\n',
    events: [
      ['message', 'a', '1'],
      ['message', 'b'],
      ['message', 'c'],
    ],
  },
  {
    name: 'an ID with a NUL is ignored',
    stream: 'id:2\0\ndata:x\n\n',
    events: [['message', 'x']],
  },
  {
    name: 'fields are named exactly',
    stream:
      'data:\0\ndata:  2\rData:no\ndata\0:no\ndata:1\r\0data:no\nda-ta:no\rdata_no\ndata:3\r data:no\ndata:4\n\n',
    // Postgres stores no NUL in text: the log has a replacement character.
    events: [['message', '\uFFFD\n 2\n1\n3\n4']],
  },
  {
    name: 'unknown fields are ignored, and a field needs no colon',
    stream: 'data:a\n data\ndata\nfoo:xxx\njust text\n:comment\ndata:b\n\n',
    events: [['message', 'a\n\nb']],
  },
  {
    name: 'one space after the colon is skipped, and no tab',
    stream: 'data:\tx\rdata: \ndata:  y\n\n',
    events: [['message', '\tx\n\n y']],
  },
  {
    name: 'CR, LF and CRLF end a line, mixed as they like',
    stream: 'data:a\r\ndata\ndata:b\r\n\r\n\rdata:c\r\r\n',
    events: [
      ['message', 'a\n\nb'],
      ['message', 'c'],
    ],
  },
  {
    name: 'a retry that is no number changes nothing',
    stream: 'retry:10x\nretry\nretry: -5\ndata:x\n\n',
    events: [['message', 'x']],
  },
  {
    name: 'it is UTF-8, whatever its type says',
    stream: 'data:ok… zł 😀\n\n',
    events: [['message', 'ok… zł 😀']],
    type: 'text/event-stream; charset=windows-1252',
  },
  {
    name: 'a type may end with a semicolon',
    stream: 'data:x\n\n',
    events: [['message', 'x']],
    type: 'text/event-stream;',
  },
]

let upstream: Upstream
let weir: TestWeir
/** Of each case, by its index. */
let ids: string[]

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  ids = await Promise.all(
    CASES.map(async ({ stream, type = 'text/event-stream' }, index) => {
      const url = upstream.on(`/${index}`, () => open(`${stream}\n\nid\ndata:${LAST}\n\n`, type))
      return (await weir.register({ url, kind: 'sse' })).id
    }),
  )
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

test.each(CASES.map(({ name }, index) => [name, index] as const))('%s', async (_name, index) => {
  const id = ids[index] as string
  await weir.entry(id, 'the last event is logged', ({ data }) => data === LAST)
  const events = (await weir.logs(id)).filter(({ kind, data }) => kind === 'event' && data !== LAST)
  expect(
    events.map(({ event = 'message', data, eventId }) => [event, data, ...(eventId ? [eventId] : [])]),
  ).toEqual((CASES[index] as Case).events.map((each) => [...each]))
})

test('what the end of a stream cuts off is no event, and its ID isn’t sent back', async () => {
  const first = 'retry:10\nid:whole\ndata:one\n\n'
  const url = upstream.on('/cut', (_request, hit) =>
    hit === 1
      ? new Response(`${first}id:cut\ndata:two`, { headers: { 'Content-Type': 'text/event-stream' } })
      : open('data:three\n\n', 'text/event-stream'),
  )
  const { id } = await weir.register({ url, kind: 'sse' })
  await weir.entry(id, 'it goes on', ({ data }) => data === 'three')
  const events = (await weir.logs(id)).filter(({ kind }) => kind === 'event')
  expect(events.map(({ data }) => data)).toEqual(['one', 'three'])
  expect(upstream.requests.get('/cut')?.[1]?.headers.get('last-event-id')).toBe('whole')
})

/** An event stream that stays open after its first bytes. */
function open(text: string, type: string): Response {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
  })
  return new Response(body, { headers: { 'Content-Type': type } })
}
