import { gzipSync } from 'node:zlib'
import { integer, pick, type Random, several } from '../core/seeded.ts'
import { mutated, ODD_TEXTS, randomBytes, split } from './bytes.ts'

/** What the upstream says to one request, in the pieces that it is written in, and whether it hangs up then. */
export interface HostileAnswer {
  pieces: Uint8Array[]
  ends: 'close' | 'reset' | 'hang'
}

type Make = (random: Random, origin: string) => string | Uint8Array

/** What a path is asked for is what it mostly tells: a stream is to be followed for a while, not only refused. */
export const PATHS = ['/sse', '/json', '/any', '/redirect', '/patch'] as const

export function hostileAnswer(random: Random, path: string, origin: string): HostileAnswer {
  const make: Make =
    path.startsWith('/sse') && random() < 0.8
      ? events
      : path.startsWith('/patch') && random() < 0.8
        ? patchEvents
        : path.startsWith('/json') && random() < 0.8
          ? json
          : path.startsWith('/redirect')
            ? redirect
            : pick(random, [events, patchEvents, json, redirect, lengths, chunks, heads, noise, packed])
  const made = Buffer.from(make(random, origin) as string)
  const bytes = random() < 0.25 ? mutated(random, made) : made
  return { pieces: split(random, bytes), ends: pick(random, ['close', 'close', 'reset', 'hang']) }
}

function head(status: string, headers: readonly string[]): string {
  return `HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n`
}

function withLength(type: string, body: Uint8Array | string, more: readonly string[] = []): Uint8Array {
  const bytes = Buffer.from(body as string)
  const headers = [`Content-Type: ${type}`, `Content-Length: ${bytes.length}`, ...more]
  return Buffer.concat([Buffer.from(head('200 OK', headers)), bytes])
}

function stream(body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(head('200 OK', ['Content-Type: text/event-stream'])), body])
}

function events(random: Random): Uint8Array {
  const end = pick(random, ['\n', '\r', '\r\n'])
  const field = () =>
    pick(random, [
      () => `data: ${text(random)}`,
      () => `data:${JSON.stringify(document(random))}`,
      () => `id: ${pick(random, [text(random), 'i'.repeat(100_000), '\u0000', '1'])}`,
      () => `event: ${pick(random, ['data', 'patch', 'error', text(random), 'e'.repeat(10_000)])}`,
      () => `retry: ${pick(random, ['0', '10', '-1', '99999999999999999999', text(random)])}`,
      () => `:${text(random)}`,
      () => `${text(random)}:`,
      () => text(random),
      () => '',
    ])()
  const blocks = several(random, 30, () => `${several(random, 6, field).join(end)}${end}${end}`)
  const body = Buffer.from(blocks.join(''))
  return stream(random() < 0.5 ? mutated(random, body) : body)
}

/** Weir's own protocol, as the proxy and others speak it: a document, then what changes, or what doesn't apply. */
function patchEvents(random: Random): Uint8Array {
  const path = () =>
    pick(random, ['', '/', '/a', '/a/0', '/a/-', '/list/99', '/~01', '/__proto__/x', '/b/c/d'])
  const operation = () =>
    pick(random, [
      () => ({ op: pick(random, ['add', 'replace', 'test']), path: path(), value: document(random) }),
      () => ({ op: 'remove', path: path() }),
      () => ({ op: pick(random, ['move', 'copy']), from: path(), path: path() }),
      () => ({ op: text(random), path: integer(random, 9) }),
      () => null,
    ])()
  const blocks = several(random, 20, () =>
    random() < 0.3
      ? `event: data\ndata: ${JSON.stringify(document(random))}\n\n`
      : `event: patch\ndata: ${JSON.stringify(several(random, 4, operation))}\n\n`,
  )
  return stream(Buffer.from(blocks.join('')))
}

function json(random: Random): Uint8Array {
  const depth = pick(random, [10, 1_000, 20_000])
  const body = pick(random, [
    () => JSON.stringify(document(random)),
    () => JSON.stringify({ list: several(random, 200, () => document(random)) }),
    () => '['.repeat(depth) + ']'.repeat(depth),
    () => '{"a":'.repeat(depth),
    () => `{"a":1,"a":2,"":3,"__proto__":{"x":1}}`,
    () => `{"n":${pick(random, ['1e400', '-0', '0.1e-999', '9'.repeat(500), '1.', '01', 'NaN'])}}`,
    () => `"${'\\ud800'.repeat(10)}"`,
    () => '',
    () => ' '.repeat(3_000),
  ])()
  const etag =
    random() < 0.3 ? [`ETag: ${pick(random, ['"a"', 'W/"b"', text(random).replace(/[\r\n]/g, '')])}`] : []
  return withLength(
    pick(random, ['application/json', 'text/html', 'application/json; charset=utf-16', '']),
    body,
    etag,
  )
}

function redirect(random: Random, origin: string): string {
  const to = pick(random, [
    `${origin}/json`,
    `${origin}/redirect/${integer(random, 9)}`,
    '//',
    'http://',
    'file:///etc/passwd',
    'javascript:1',
    `${origin}/${'r'.repeat(9_000)}`,
    'http://127.0.0.1:1/',
    '',
    '\u00e9\u0000',
  ])
  return head(pick(random, ['301 M', '302 F', '303 S', '307 T', '308 P', '304 N', '300 C']), [
    `Location: ${to}`,
    'Content-Length: 0',
  ])
}

function lengths(random: Random): string {
  const length = pick(random, ['5', '0', '-1', '99999999999999999999', '5, 6', 'x', '5\r\nContent-Length: 7'])
  return `${head('200 OK', ['Content-Type: application/json', `Content-Length: ${length}`])}{"a":[1,2,3]}`
}

function chunks(random: Random): string {
  const size = () =>
    pick(random, ['3', '0', 'ffffffffffffffff', '-1', 'zz', '3;a=b', `3;${'e'.repeat(9_000)}`, ''])
  const body = several(random, 8, () => `${size()}\r\nabc${pick(random, ['\r\n', '\n', ''])}`).join('')
  const type = pick(random, ['application/json', 'text/event-stream'])
  return `${head('200 OK', [`Content-Type: ${type}`, 'Transfer-Encoding: chunked'])}${body}0\r\n\r\n`
}

function heads(random: Random): string {
  const status = pick(random, [
    '200 OK',
    '99 X',
    '1000 Y',
    '100 Continue',
    '204 No',
    '206 P',
    '418 T',
    '599 Z',
    'abc',
    '',
  ])
  const header = () =>
    pick(random, [
      `X-${integer(random, 99)}: ${'h'.repeat(integer(random, 3_000))}`,
      'Content-Type: text/event-stream',
      'Content-Type: ;;;',
      'Content-Encoding: gzip',
      'Content-Encoding: unknown',
      'Transfer-Encoding: gzip, chunked',
      'Set-Cookie: a=b',
      `Retry-After: ${pick(random, ['1', '-1', '99999999999', 'Wed, 32 Foo', ''])}`,
      `Cache-Control: max-age=${pick(random, ['1', '-5', '99999999999999'])}`,
      'Date: x',
      ': no name',
      'No colon',
      'Connection: upgrade',
    ])
  return `${head(status, several(random, 40, header))}{"a":1}`
}

function noise(random: Random): Uint8Array {
  return randomBytes(random, 2_000)
}

/** Compressed, broken, or far larger than it seems. */
function packed(random: Random): Uint8Array {
  const plain = pick(random, [
    JSON.stringify(document(random)),
    'x'.repeat(3_000_000),
    `data: ${'y'.repeat(999)}\n\n`,
  ])
  const body = random() < 0.5 ? gzipSync(plain) : mutated(random, gzipSync(plain))
  return withLength(pick(random, ['application/json', 'text/event-stream']), body, ['Content-Encoding: gzip'])
}

function document(random: Random): unknown {
  return pick(random, [
    () => ({
      a: integer(random, 5),
      list: several(random, 5, () => ({ id: integer(random, 9), t: text(random) })),
    }),
    () => ({ a: [{ b: { c: text(random) } }], __proto__x: null }),
    () => several(random, 4, () => integer(random, 100)),
    () => text(random),
    () => null,
    () => integer(random, 2) === 0,
  ])()
}

function text(random: Random): string {
  return random() < 0.5 ? pick(random, ODD_TEXTS) : Buffer.from(randomBytes(random, 24)).toString('latin1')
}
