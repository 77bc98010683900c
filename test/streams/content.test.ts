import { describe, expect, test } from 'bun:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { mediaTypeIn } from '../../src/core/sets/media-types.ts'
import { CodingError, codingsOf, decompress, isGzip } from '../../src/streams/content/codings.ts'
import { decodeText, linesAsArray, mayBeJson } from '../../src/streams/content/text.ts'

const PLAIN = Buffer.from('{"a":"é"}'.repeat(50))
const coded = (encoding: string) => new Headers({ 'Content-Encoding': encoding })

describe('content codings', () => {
  test.each<[string, ReturnType<typeof codingsOf>]>([
    ['gzip', ['gzip']],
    ['X-GZip', ['gzip']],
    ['gzip, br', ['gzip', 'br']],
    ['identity', []],
    ['none', []],
    ['constructor, __proto__', []],
    ['UTF-8', []],
    ['', []],
    ['aws-chunked, gzip', ['gzip']],
  ])('%s', (encoding, codings) => {
    expect(codingsOf(coded(encoding))).toEqual(codings)
    expect(isGzip(coded(encoding))).toBe(codings.join() === 'gzip')
  })

  test('codings of the transfer were applied last', () => {
    const headers = new Headers({ 'Content-Encoding': 'br', 'Transfer-Encoding': 'gzip, chunked' })
    expect(codingsOf(headers)).toEqual(['br', 'gzip'])
    const raw = gzipSync(brotliCompressSync(PLAIN))
    expect(Buffer.from(decompress(raw, codingsOf(headers), PLAIN.byteLength))).toEqual(PLAIN)
  })

  test.each([
    ['gzip', gzipSync(PLAIN)],
    ['deflate', deflateSync(PLAIN)],
    ['deflate', deflateRawSync(PLAIN)],
    ['br', brotliCompressSync(PLAIN)],
    ['zstd', zstdCompressSync(PLAIN)],
    ['deflate, gzip', gzipSync(deflateSync(PLAIN))],
    ['none', PLAIN],
    ['gzip', Buffer.alloc(0)],
  ])('%s is undone', (encoding, raw) => {
    const plain = decompress(raw, codingsOf(coded(encoding)), PLAIN.byteLength)
    expect(Buffer.from(plain).toString()).toBe(raw.byteLength === 0 ? '' : PLAIN.toString())
  })

  test.each(['gzip', 'deflate', 'br', 'zstd'] as const)(
    'what isn’t %s, and what is too large, is refused',
    (coding) => {
      expect(() => decompress(Buffer.from('no such thing'), [coding], 1_000)).toThrow(CodingError)
      const pack = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }[
        coding
      ]
      expect(() => decompress(pack(Buffer.alloc(100_000)), [coding], 99_999)).toThrow(RangeError)
      expect(() => decompress(PLAIN, Array(6).fill(coding), 1_000)).toThrow(CodingError)
    },
  )

  test('the beginning of a body is enough, where only that was received', () => {
    const part = gzipSync(PLAIN).subarray(0, -9)
    expect(() => decompress(part, ['gzip'], 10_000)).toThrow(CodingError)
    expect(Buffer.from(decompress(part, ['gzip'], 10_000, true)).toString()).toStartWith('{"a":"é"}')
  })
})

test.each<[string | null, string, string | undefined]>([
  ['text/html; charset=UTF-8', 'text/html', 'utf-8'],
  ['Application/JSON;charset="iso-8859-1"', 'application/json', 'iso-8859-1'],
  ['text/plain, text/event-stream', 'text/event-stream', undefined],
  ['text/event-stream, nonsense', 'text/event-stream', undefined],
  ['text/plain; x="a,b/c"', 'text/plain', undefined],
  ['*/*', 'application/octet-stream', undefined],
  ['', 'application/octet-stream', undefined],
  [null, 'application/octet-stream', undefined],
])('the media type of %p is %s', (header, type, charset) => {
  expect(mediaTypeIn(header)).toEqual({ type, charset })
})

describe('text', () => {
  const of = (bytes: Buffer, type: string) => decodeText(bytes, mediaTypeIn(type))
  test.each<[string, Buffer, string, string | undefined]>([
    ['UTF-8', Buffer.from('é'), 'application/octet-stream', 'é'],
    ['a byte order mark', Buffer.from('\uFEFFé'), 'application/json', 'é'],
    ['a charset', Buffer.from('é', 'latin1'), 'application/json; charset=iso-8859-1', 'é'],
    ['an unknown charset', Buffer.from('é'), 'application/json; charset=klingon', 'é'],
    ['UTF-16 with a mark', Buffer.from('\uFEFF{"a":"é"}', 'utf16le'), 'application/json', '{"a":"é"}'],
    ['UTF-16 without one', Buffer.from('{"a":1}', 'utf16le'), 'application/json', '{"a":1}'],
    ['a mark against its charset', Buffer.from('\uFEFFé'), 'text/plain; charset=iso-8859-1', 'é'],
    ['bytes', Buffer.from([0xff, 0x00, 0x80]), 'application/octet-stream', undefined],
    ['text with NUL that nobody calls text', Buffer.from('abc\0'), 'application/octet-stream', undefined],
    ['the same as text', Buffer.from('abc\0'), 'text/plain', 'abc\0'],
  ])('%s', (_what, bytes, type, text) => {
    expect(of(bytes, type)?.text).toBe(text as string)
  })

  test('bytes are UTF-8 unless something says otherwise', () => {
    expect(of(Buffer.from('{}'), 'application/json')?.isUtf8).toBe(true)
    expect(of(Buffer.from('{}', 'utf16le'), 'application/json')?.isUtf8).toBe(false)
  })

  test.each([
    [' {"a":1}', true],
    ['[server]', true],
    ['-1', true],
    ['nullable', false],
    ['hello', false],
    ['', false],
  ])('%p may be JSON: %p', (text, may) => {
    expect(mayBeJson(text)).toBe(may)
  })

  test.each<[string, string | undefined]>([
    ['{"a":1}\n{"a":2}\n', '[{"a":1},{"a":2}]'],
    ['[1]\r\n\r\n[2]', '[[1],[2]]'],
    ['\x1e{"a":1}\n', '[{"a":1}]'],
    ['{"a":1}\n', undefined],
    ['{"a":1}\nno', undefined],
    ['{\n"a": 1\n}', undefined],
    ['1\n2', undefined],
    ['[\n{}\n]', undefined],
  ])('the lines of %p are %p', (text, array) => {
    expect(linesAsArray(text)).toBe(array as string)
  })
})
