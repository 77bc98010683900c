import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'

/** A body as an upstream sends it, and what Weir makes of it, wherever it reads it. */
export interface BodyCase {
  name: string
  body: Uint8Array
  type?: string
  encoding?: string
  status?: number
  as: 'document' | 'text' | 'bytes' | 'empty'
  /** The document, or the text. */
  is?: unknown
}

const JSON_TYPE = 'application/json'
const A = { a: 1 }
const TEXT = '{"a":1}'
const UMLAUT = { name: 'Müller €' }
const PNG = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
const of = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding)

type Rest = Omit<BodyCase, 'name' | 'as' | 'body'>
const documentOf = (name: string, body: Uint8Array | string, is: unknown, rest: Rest = {}): BodyCase => ({
  ...{ name, body: typeof body === 'string' ? of(body) : body, as: 'document', is },
  ...rest,
})
const textOf = (name: string, body: Uint8Array | string, type: string, rest: Rest = {}): BodyCase => {
  const bytes = typeof body === 'string' ? of(body) : body
  return { name, body: bytes, type, as: 'text', is: bytes.toString(), ...rest }
}
const other = (
  name: string,
  as: 'bytes' | 'empty',
  body: Uint8Array | string,
  rest: Rest = {},
): BodyCase => ({
  ...{ name, as, body: typeof body === 'string' ? of(body) : body },
  ...rest,
})
const packed = (name: string, encoding: string, body: Uint8Array) =>
  documentOf(name, body, A, { type: JSON_TYPE, encoding })

/** docs/what-weir-follows.md names some of them. */
export const BODIES: readonly BodyCase[] = [
  documentOf('JSON', TEXT, A, { type: JSON_TYPE }),
  documentOf('JSON without a type', TEXT, A),
  documentOf('JSON as a web page', TEXT, A, { type: 'text/html; charset=UTF-8' }),
  documentOf('JSON as text', ` \n${TEXT}\n`, A, { type: 'text/plain' }),
  documentOf('JSON as binary data', TEXT, A, { type: 'binary/octet-stream' }),
  documentOf('JSON as an image', TEXT, A, { type: 'image/png' }),
  documentOf('a number', '42', 42, { type: JSON_TYPE }),
  documentOf('null', 'null', null, { type: JSON_TYPE }),
  documentOf('a string', '"up"', 'up', { type: JSON_TYPE }),
  documentOf('JSON with a byte order mark', '\uFEFF{"name":"Müller €"}', UMLAUT, { type: JSON_TYPE }),
  documentOf('JSON in UTF-16', of('{"name":"Müller €"}', 'utf16le'), UMLAUT, { type: JSON_TYPE }),
  documentOf(
    'JSON in Latin-1',
    of('{"name":"Müller"}', 'latin1'),
    { name: 'Müller' },
    {
      type: 'application/json; charset=ISO-8859-1',
    },
  ),
  documentOf('JSON with an unknown charset', TEXT, A, { type: 'application/json; charset=klingon' }),
  documentOf('JSON Lines', '{"a":1}\n{"a":2}\n', [{ a: 1 }, { a: 2 }], { type: 'application/x-ndjson' }),
  documentOf('JSON Lines as JSON', '{"a":1}\r\n{"a":2}', [{ a: 1 }, { a: 2 }], { type: JSON_TYPE }),
  documentOf('a JSON text sequence', '\x1e{"a":1}\n\x1e{"a":2}\n', [{ a: 1 }, { a: 2 }], {
    type: 'application/json-seq',
  }),
  packed('gzip', 'gzip', gzipSync(TEXT)),
  packed('gzip and more', 'gzip', Buffer.concat([gzipSync(TEXT), of('\r\nmore')])),
  packed('two gzip members', 'gzip', Buffer.concat([gzipSync('{"a"'), gzipSync(':1}')])),
  packed('deflate', 'deflate', deflateSync(TEXT)),
  packed('bare deflate and more', 'deflate', Buffer.concat([deflateRawSync(TEXT), of('more')])),
  packed('Brotli', 'br', brotliCompressSync(TEXT)),
  packed('Zstandard and more', 'zstd', Buffer.concat([zstdCompressSync(TEXT), of('more')])),
  packed('two codings', 'deflate, gzip', gzipSync(deflateSync(TEXT))),
  packed('a coding that is none', 'utf-8', of(TEXT)),
  textOf('a web page', '<!doctype html><h1>Hi</h1>', 'text/html'),
  textOf('XML', '<a>1</a>', 'application/xml'),
  textOf('CSV', 'a,b\n1,2\n', 'text/csv'),
  textOf('YAML', '{a: 1, b: [x, y]}\n', 'application/yaml'),
  textOf('INI', '[section]\nkey=value\n', 'text/plain'),
  textOf('half a document', '{"a":[1,', JSON_TYPE),
  textOf('JSON with NaN', '{"a":NaN}', JSON_TYPE),
  textOf('JSON behind a guard', ')]}\'\n{"a":1}', JSON_TYPE),
  textOf('a document that is nested too deeply', '['.repeat(30_000) + ']'.repeat(30_000), JSON_TYPE),
  textOf('lines of which one is no JSON', '{"a":1}\nno\n', 'application/x-ndjson'),
  textOf('text in Latin-1', of('Müller', 'latin1'), 'text/plain; charset=iso-8859-1', { is: 'Müller' }),
  textOf('text without a type', 'hello', ''),
  textOf('white space', ' \n', 'text/plain'),
  other('an image', 'bytes', PNG, { type: 'image/png' }),
  other('an image as a web page', 'bytes', PNG, { type: 'text/html' }),
  other('an image as JSON', 'bytes', PNG, { type: JSON_TYPE }),
  other('NUL without a type', 'bytes', 'abc\0'),
  other('an empty body', 'empty', '', { type: JSON_TYPE }),
  other('a byte order mark alone', 'empty', '\uFEFF', { type: 'text/plain' }),
  other('204 No Content', 'empty', '', { status: 204 }),
]
