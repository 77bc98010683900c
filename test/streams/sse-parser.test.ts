import { expect, test } from 'bun:test'
import { createParser } from 'eventsource-parser'
import { createSseParser, type LargeEvent } from '../../src/streams/content/sse-parser.ts'
import { seeded } from '../core/seeded.ts'

const random = seeded('sse-parser.test.ts')
type Told = { id?: string; event?: string; data?: string; ids?: string; retry?: number } & Partial<LargeEvent>

/** What a parser makes of chunks. */
function read(chunks: readonly string[], maxChars = 10_000): Told[] {
  const told: Told[] = []
  const parser = createSseParser({
    maxChars,
    onEvent: ({ id, event, data }) => told.push({ id, event, data }),
    onId: (ids) => told.push({ ids }),
    onRetry: (retry) => told.push({ retry }),
    onLarge: (large) => told.push(large),
  })
  for (const chunk of chunks) parser.feed(chunk)
  parser.reset()
  return told
}

/** The same by eventsource-parser. */
function reference(text: string): Told[] {
  const told: Told[] = []
  const parser = createParser({
    onEvent: ({ id, event, data }) => told.push({ id, event, data }),
    onId: (ids) => told.push({ ids }),
    onRetry: (retry) => told.push({ retry }),
  })
  parser.feed(text)
  return told
}

function cut(text: string): string[] {
  const chunks: string[] = []
  for (let at = 0; at < text.length; ) {
    const chars = 1 + Math.floor(random() * (random() < 0.2 ? 4_000 : 12))
    chunks.push(text.slice(at, at + chars))
    at += chars
  }
  return chunks
}

const sha = (text: string) => new Bun.CryptoHasher('sha256').update(text).digest('hex')

test('however a stream is cut, its events are those of eventsource-parser, short or long', () => {
  const ends = ['\n', '\r\n', '\r']
  const fields = [
    'data: x',
    'data:y',
    'data',
    'data:',
    'id: 7',
    'event: e',
    ': comment',
    'other: z',
    'data:  two ',
  ]
  for (let round = 0; round < 400; round++) {
    const end = ends[round % 3] as string
    let text = round % 5 === 0 ? '\uFEFF' : ''
    for (let event = 0; event < 8; event++) {
      for (let line = Math.floor(random() * 5); line > 0; line--)
        text += (fields[Math.floor(random() * fields.length)] as string) + end
      if (random() < 0.3) text += `data: ${'ü'.repeat(Math.floor(random() * 150))}${end}`
      text += end
    }
    text += `data: last${end}${end}`
    // Events of more than 60 characters are long here, and none is too large.
    expect(readLong(cut(text))).toEqual(reference(text))
  }
})

/** With so small a limit that many events are read as long ones, but none exceeds it. */
function readLong(chunks: readonly string[]): Told[] {
  return read(chunks, 400)
}

test.each(['\n', '\r\n', '\r'])('what is too large is skipped, and what follows is read: %j', (end) => {
  const large = `${'é'.repeat(30_000)}`
  const text = [
    ...['id: 1', 'data: one', '', 'id: 2', 'event: big', `data: ${large}`, 'data: more', ''],
    ...['id: 3', 'data: three', '', ''],
  ].join(end)
  const data = `${large}\nmore`
  for (const chunks of [[text], cut(text)]) {
    expect(read(chunks)).toEqual([
      { ids: '1' },
      { id: '1', event: undefined, data: 'one' },
      { id: '2', event: 'big', bytes: Buffer.byteLength(data), hash: sha(data) },
      { ids: '3' },
      { id: '3', event: undefined, data: 'three' },
    ])
  }
})

test('an event that is too large and breaks off is told without a hash, an unfinished small one isn’t', () => {
  expect(read([`id: 2\ndata: ${'x'.repeat(10_001)}`])).toEqual([{ id: '2', event: undefined, bytes: 10_001 }])
  expect(read(['id: 2\ndata: x'])).toEqual([])
})

test('of an endless event a bounded part is read, and nothing is kept of an endless comment', () => {
  const told = read([`id: 2\ndata: `, ...Array(200).fill('x'.repeat(1_000))])
  expect(told).toEqual([{ id: '2', event: undefined, bytes: 80_000 }])
  const more = 'x'.repeat(1_000_000)
  expect(read([': ', ...Array(50).fill(more), '\n\ndata: after\n\n'])).toEqual([
    { id: undefined, event: undefined, data: 'after' },
  ])
})

test('an endless ID is too large, too, and a long one is cut', () => {
  const [first] = read(['id: ', ...Array(50).fill('x'.repeat(10_000))])
  expect(first).toMatchObject({ bytes: 0 })
  const [{ ids = '' } = {}, event] = read([`id: ${'x'.repeat(70_000)}\ndata: y\n\n`])
  expect(ids.length).toBe(16_384)
  expect(event).toMatchObject({ data: 'y' })
})

test('the hash covers what was received before the event was too large', () => {
  const piece = 'é'.repeat(1_000)
  const told = read(['id: 2\ndata: ', ...Array(101).fill(piece), '\n\n'], 100_000)
  expect(told).toEqual([{ id: '2', event: undefined, bytes: 202_000, hash: sha(piece.repeat(101)) }])
})
