import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { archiveLine, lineEntry } from '../../src/archive/format.ts'
import { encodeMessage } from '../../src/core/sse.ts'
import { codingsOf, decompress } from '../../src/streams/content/codings.ts'
import { contentOf, parseDocument } from '../../src/streams/content/content.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { until } from '../support/until.ts'
import { type LoggedEntry, startTestWeir, type TestWeir } from '../support/weir.ts'
import { BODIES, type BodyCase } from './bodies.ts'

let server: Server
let url: string
let weir: TestWeir

beforeAll(async () => {
  // Unlike a fetch handler's, its answers have no header that nobody asked for.
  server = createServer((request, response) => {
    const { body, type, encoding, status = 200 } = BODIES[Number(request.url?.slice(1))] as BodyCase
    if (type) response.setHeader('Content-Type', type)
    if (encoding) response.setHeader('Content-Encoding', encoding)
    response.writeHead(status)
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = portOf(server).slice(0, -1)
  weir = await startTestWeir()
})
afterAll(async () => {
  await weir.close()
  server.closeAllConnections()
  server.close()
})

const portOf = (of: Server) => `http://127.0.0.1:${(of.address() as AddressInfo).port}/`
const headersOf = ({ type, encoding }: BodyCase) =>
  new Headers({ ...(type && { 'Content-Type': type }), ...(encoding && { 'Content-Encoding': encoding }) })
const sha = (bytes: Uint8Array) => new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
const plainOf = (each: BodyCase) => decompress(each.body, codingsOf(headersOf(each)), 1_000_000)

/** Previews at a time. */
const AT_A_TIME = 8
const AS: Record<string, string> = {
  json: 'document',
  html: 'text',
  text: 'text',
  binary: 'bytes',
  empty: 'empty',
}

interface Preview {
  problem: unknown
  answer: { shape: string; sample: { text: string } | null }
}

/** The content of an entry of a poll. */
function pollOf({ kind, data, content }: Polled) {
  return kind === 'snapshot' ? { as: 'document', is: data } : { as: content, is: data }
}

test.each(BODIES.map((each) => [each.name, each] as const))('%s, by itself', (_name, each) => {
  const { as, is } = each
  const content = contentOf(plainOf(each), headersOf(each))
  if (as === 'document') {
    expect(content).toMatchObject({ as: 'text', mayBeDocument: true })
    expect(parseDocument((content as { text: string }).text).document).toEqual(is as never)
  } else expect(content.as).toBe(as)
  if (as === 'text') expect(content).toMatchObject({ text: is as string })
})

/** What something makes of every body, by its name, a few at a time. */
async function ofAll(
  make: (each: BodyCase, at: string) => Promise<unknown>,
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (let from = 0; from < BODIES.length; from += AT_A_TIME) {
    const some = BODIES.slice(from, from + AT_A_TIME)
    await Promise.all(
      some.map(async (each, index) => {
        found[each.name] = await make(each, `${url}/${from + index}`)
      }),
    )
  }
  return found
}

const expected = (of: (each: BodyCase) => unknown) =>
  Object.fromEntries(BODIES.map((each) => [each.name, of(each)]))

test('a preview makes the same of each', async () => {
  const shown = await ofAll(async (_each, at) => {
    const response = await weir.send('POST', '/api/streams/preview', { url: at })
    const { problem, answer } = (await response.json()) as Preview
    const isJson = answer.shape === 'json'
    return { problem, as: AS[answer.shape], ...(isJson && { is: JSON.parse(answer.sample?.text ?? '') }) }
  })
  expect(shown).toEqual(expected(({ as, is }) => ({ problem: null, as, ...(as === 'document' && { is }) })))
})

test('so does a poll, and the archive returns what it stored', async () => {
  const polled = await ofAll(async (each, at) => {
    const { id } = await weir.register({ url: at, kind: 'poll', intervalMs: 500 })
    const entry = await weir.entry(id, `${each.name} is polled`, ({ seq }) => seq === 1)
    const again = await weir.entry(id, `${each.name} is polled again`, ({ seq }) => seq === 2)
    await weir.send('POST', `/api/streams/${id}/stop`)
    for (const logged of [entry, again]) expect(archived(logged)).toEqual(storedOf(logged))
    const { bodyBytes, hash } = entry
    const next = [again.kind, again.changed, (again as Polled).content]
    return { ...pollOf(entry), bodyBytes, ...(entry.kind !== 'snapshot' && { hash }), next }
  })
  expect(polled).toEqual(
    expected((each) => {
      const { as, is } = each
      const plain = plainOf(each)
      const content = as === 'document' ? undefined : as
      const hash = as === 'document' ? {} : { hash: sha(plain) }
      return { as, is, bodyBytes: plain.byteLength, ...hash, next: ['exchange', false, content] }
    }),
  )
})

test('a subscriber of the proxy gets documents, and an error for all else, because it asks for JSON', async () => {
  const got = await ofAll((_each, at) => firstOf(`${weir.url}/proxy/${at}?intervalMs=500`))
  expect(got).toEqual(expected(proxiedOf))
})

test.each([
  ['', (text: string) => text],
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['deflate, gzip', (text: string) => gzipSync(deflateSync(text))],
])('an event stream with the encoding %p keeps the text of each', async (encoding, pack) => {
  const texts = BODIES.flatMap((each) => {
    const content = contentOf(plainOf(each), headersOf(each))
    return content.as === 'text' ? [content.text.replaceAll('\r\n', '\n')] : []
  })
  const feed = createServer((_request, response) => {
    const coding = encoding === '' ? {} : { 'Content-Encoding': encoding }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', ...coding })
    response.write(pack(texts.map((data) => new TextDecoder().decode(encodeMessage({ data }))).join('')))
  })
  await new Promise<void>((resolve) => feed.listen(0, '127.0.0.1', resolve))
  const { id } = await weir.register({ url: portOf(feed), kind: 'sse' })
  await weir.entry(id, 'all are logged', ({ seq }) => seq === texts.length + 1)
  const events = (await weir.logs(id)).filter(({ kind }) => kind === 'event')
  feed.closeAllConnections()
  feed.close()
  expect(events.map(({ data }) => data)).toEqual(texts)
})

type Polled = LoggedEntry & { content?: string }

/** An entry of the API as it is stored. */
function storedOf(logged: LoggedEntry): Entry {
  const { request, response, content, data, at, ...rest } = logged as never as Record<string, never>
  const text = data === undefined || logged.kind === 'exchange' ? data : JSON.stringify(data)
  const exchange = {
    request: request as never,
    response: response as never,
    ...(content !== undefined && { content }),
  }
  const stored = { ...(rest as object), at: Date.parse(at as never), exchange } as never as Entry
  return text === undefined ? stored : { ...stored, data: text }
}

const archived = (logged: LoggedEntry) => lineEntry(archiveLine(storedOf(logged)))

/** The first event that a subscriber of the proxy gets: that which says what the content is. */
async function firstOf(proxied: string): Promise<unknown> {
  const reader = (await fetch(proxied)).body?.getReader()
  const decoder = new TextDecoder()
  let event: RegExpExecArray | null = null
  for (let text = ''; event === null; ) {
    text += decoder.decode((await reader?.read())?.value, { stream: true })
    event = /(?:^|\n)event: (data|error)\n(?:id: .*\n)?data: (.*)\n/.exec(text)
  }
  await reader?.cancel()
  const data = JSON.parse(event[2] as string)
  return event[1] === 'data' ? { document: data } : { cause: data.cause }
}

/** Subscribers ask for JSON, so all else is an error to them. */
function proxiedOf({ as, is, type = '' }: BodyCase): unknown {
  if (as === 'document') return { document: is }
  if (as === 'empty') return { cause: 'no_content' }
  return { cause: type.startsWith('application/json') ? 'bad_json' : 'bad_content_type' }
}

test('the documentation names cases of the table, and every kind of content', async () => {
  const text = await Bun.file(join(import.meta.dir, '../../docs/what-weir-follows.md')).text()
  const rows = text.split('\n').filter((line) => line.startsWith('|'))
  const named = rows.flatMap((row) =>
    [...row.replaceAll(/`[^`]*`/g, '').matchAll(/_([^_]+)_/g)].map(([, name]) => name as string),
  )
  const known = new Map(BODIES.map((each) => [each.name, each.as]))
  expect(named.filter((name) => !known.has(name))).toEqual([])
  expect(new Set(named.map((name) => known.get(name)))).toEqual(new Set(BODIES.map(({ as }) => as)))
})

test('JSON that was asked for is an error if it isn’t there, and only then', async () => {
  const indexOf = (name: string) => BODIES.findIndex((each) => each.name === name)
  for (const [name, more] of [
    ['half a document', { payloadPointer: '/a' }],
    ['a web page', { ignorePaths: ['/a'] }],
    ['an image', { payloadPointer: '/a' }],
  ] as const) {
    const { id } = await weir.register({ url: `${url}/${indexOf(name)}`, kind: 'poll', ...more })
    const error = await weir.entry(id, 'it is polled', ({ seq }) => seq === 1)
    expect(error).toMatchObject({ kind: 'error', data: { code: 'bad_json' } })
  }
})

test('a document that becomes text and returns costs no version, and each of them is a change', async () => {
  const answers = ['{"a":1}', '<p>down</p>', '{"a":1}', '{"a":1}', '', '{"a":2,"b":"some more text"}']
  let hit = 0
  const other = createServer((_request, response) => response.end(answers[Math.min(hit++, 5)]))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { id } = await weir.register({
    url: portOf(other),
    kind: 'poll',
    intervalMs: 500,
  })
  const log = await until('all are logged', async () => {
    const entries = (await weir.logs(id)) as (LoggedEntry & { content?: string })[]
    return entries.length >= 6 && entries.slice(0, 6)
  })
  other.closeAllConnections()
  other.close()
  expect(log.map(({ kind, changed, content }) => [kind, changed, content])).toEqual([
    ['snapshot', undefined, undefined],
    ['exchange', true, 'text'],
    ['exchange', true, undefined],
    ['exchange', false, undefined],
    ['exchange', true, 'empty'],
    ['snapshot', true, undefined],
  ])
})
