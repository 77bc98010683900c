import {
  brotliDecompressSync,
  constants,
  crc32,
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
 * The codings of a body, in the order in which they were applied: those of the content, then those of its transfer.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-7.2
 */
export function codingsOf(headers: Headers): Coding[] {
  const said = ['content-encoding', 'transfer-encoding'].map((name) => headers.get(name) ?? '')
  const names = said.join().toLowerCase().split(',')
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
        return ungzip(bytes, zlib)
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

type ZlibOptions = { maxOutputLength: number; finishFlush?: number }

/**
 * What follows the last member is ignored, as browsers do; the runtime ignores it for all codings but this one.
 * @throws Error if it begins with no whole member
 */
function ungzip(bytes: Uint8Array, zlib: ZlibOptions): Uint8Array {
  try {
    return gunzipSync(bytes, zlib)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw error
    const members = wholeMembers(bytes, zlib.maxOutputLength)
    if (members.length === 0) throw error
    return Buffer.concat(members)
  }
}

/** The content of the members that a gzip file begins with. @see https://www.rfc-editor.org/rfc/rfc1952#section-2.3 */
function wholeMembers(bytes: Uint8Array, maxOutputLength: number): Uint8Array[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const members: Uint8Array[] = []
  let [at, left] = [0, maxOutputLength]
  for (let start = memberStart(file, at); start !== undefined; start = memberStart(file, at)) {
    const member = inflated(file.subarray(start), left)
    if (member === undefined) break
    const end = start + member.readBytes
    if (end + TRAILER_BYTES > file.length || file.readUInt32LE(end) !== crc32(member.plain)) break
    members.push(member.plain)
    left -= member.plain.byteLength
    at = end + TRAILER_BYTES
  }
  return members
}

/** CRC-32 and length after a member's data. */
const TRAILER_BYTES = 8
const HEAD_BYTES = 10
/** Flags of a member's head: what it has beside its fixed part. */
const [HAS_CRC, HAS_EXTRA, HAS_NAME, HAS_COMMENT] = [2, 4, 8, 16]

/** Where the data of the member at a position begins; undefined if there is no member. */
function memberStart(file: Buffer, at: number): number | undefined {
  if (file.length < at + HEAD_BYTES || file.readUInt16BE(at) !== 0x1f8b || file[at + 2] !== 8)
    return undefined
  const flags = file[at + 3] ?? 0
  let start = at + HEAD_BYTES
  if (flags & HAS_EXTRA) start += 2 + (file.length < start + 2 ? 0 : file.readUInt16LE(start))
  for (const flag of [HAS_NAME, HAS_COMMENT]) {
    if (!(flags & flag)) continue
    const end = file.indexOf(0, start)
    if (end < 0) return undefined
    start = end + 1
  }
  return flags & HAS_CRC ? start + 2 : start
}

function inflated(data: Buffer, maxOutputLength: number): { plain: Buffer; readBytes: number } | undefined {
  try {
    // Only what was read of the data tells where it ended.
    const read: unknown = inflateRawSync(data, { maxOutputLength: Math.max(1, maxOutputLength), info: true })
    const { buffer: plain, engine } = read as { buffer: Buffer; engine: { bytesWritten: number } }
    return { plain, readBytes: engine.bytesWritten }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw error
    return undefined
  }
}

/** Whether deflated data is wrapped as RFC 1950 says; some servers leave that out. */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0
}
