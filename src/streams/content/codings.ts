import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib'

/** A content coding that Weir can undo. */
export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd'

/** Names of codings. All others, such as `identity`, `none` or `utf-8`, are no coding, as browsers have it. */
const CODINGS: ReadonlyMap<string, Coding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
])
/** More codings than this on one body are an attack. */
const MAX_CODINGS = 5

/** Too many codings, or content that isn't what its coding says. */
export class CodingError extends Error {
  override readonly name = 'CodingError'
}

/**
 * The codings of a body, in the order in which they were applied.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4
 */
export function codingsOf(headers: Headers): Coding[] {
  const names = (headers.get('content-encoding') ?? '').toLowerCase().split(',')
  return names.flatMap((name) => CODINGS.get(name.trim()) ?? [])
}

/** Whether a body came compressed with gzip, and nothing else. */
export function isGzip(headers: Headers): boolean {
  const [only, ...more] = codingsOf(headers)
  return only === 'gzip' && more.length === 0
}

/**
 * Undoes the codings of a body.
 * @param isPart whether it may end early
 * @throws CodingError; a RangeError when the result exceeds `maxOutputLength` bytes
 */
export function decompress(
  raw: Uint8Array,
  codings: readonly Coding[],
  maxOutputLength: number,
  isPart = false,
): Uint8Array {
  if (raw.byteLength === 0) return raw
  if (codings.length > MAX_CODINGS) throw new CodingError(`The body has ${codings.length} content encodings.`)
  return codings.reduceRight<Uint8Array>((bytes, coding) => undo(bytes, coding, maxOutputLength, isPart), raw)
}

type Bytes = ReadableStream<Uint8Array<ArrayBuffer>>
/** How `DecompressionStream` names them; Bun knows two more than the standard. */
const STREAM_NAMES: Readonly<Record<Coding, string>> = {
  gzip: 'gzip',
  deflate: 'deflate',
  br: 'brotli',
  zstd: 'zstd',
}

/** The same as it arrives. The stream fails with what isn't valid; the reader bounds how much it takes. */
export function decompressing(body: Bytes, codings: readonly Coding[]): Bytes {
  if (codings.length > MAX_CODINGS) throw new CodingError(`The body has ${codings.length} content encodings.`)
  return codings.reduceRight<Bytes>(
    (bytes, coding) => bytes.pipeThrough(new DecompressionStream(STREAM_NAMES[coding] as CompressionFormat)),
    body,
  )
}

function undo(bytes: Uint8Array, coding: Coding, maxOutputLength: number, isPart: boolean): Uint8Array {
  const zlib = { maxOutputLength, ...(isPart && { finishFlush: constants.Z_SYNC_FLUSH }) }
  try {
    switch (coding) {
      case 'gzip':
        return gunzipSync(bytes, zlib)
      case 'deflate':
        return isZlib(bytes) ? inflateSync(bytes, zlib) : inflateRawSync(bytes, zlib)
      case 'br':
        return brotliDecompressSync(bytes, { maxOutputLength })
      case 'zstd':
        return zstdDecompressSync(bytes, { maxOutputLength })
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new RangeError('Too large.')
    throw new CodingError(`The body isn't valid ${coding}.`)
  }
}

/** Whether deflated data is wrapped as RFC 1950 says; some servers leave that out. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0
}
