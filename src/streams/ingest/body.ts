import { sha256 } from '../../core/documents/document.ts'
import { mediaTypeIn } from '../../core/sets/media-types.ts'
import { codingsOf, decompress } from '../content/codings.ts'
import { decodeText } from '../content/text.ts'
import { storable } from '../recording/entry.ts'
import type { Hide } from '../registry/own-secrets.ts'

/** Bounds of reading a body. */
export interface ReadBounds {
  /** One byte more ends it. */
  maxBytes: number
  /** Longest time to read, in milliseconds. */
  timeoutMs: number
}

/** Why reading ended: the body was complete, a bound was reached, or the connection broke. */
export type ReadEnd = 'whole' | 'enough' | 'time' | 'broken'

/** What was received of a body, before decompression. */
export interface RawBody {
  raw: Buffer
  end: ReadEnd
}

/** What the log keeps of the body of a failed answer. */
export interface KeptBody {
  /** SHA-256 of the decompressed body, in hex; omitted if there is none. */
  hash?: string
  /** Its beginning; omitted if it isn't text. */
  text?: string
  /** Whether the body is longer than the text. */
  isTruncated: boolean
}

/** What is read of a failed answer that may be endless. */
export const ENDLESS_BODY: ReadBounds = { maxBytes: 65_536, timeoutMs: 2_000 }
/** Longest text that is kept of a body, in characters. */
export const KEPT_CHARS = 65_536
/** A character has up to four bytes, and a hidden secret becomes shorter by a factor of less than three. */
const READ_FOR_KEPT_BYTES = 4 * 3 * KEPT_CHARS

/**
 * Reads a body up to its end or a bound; what is left is cancelled.
 * @throws the signal's reason when it aborts
 */
export async function readRaw(
  { body }: Response,
  { maxBytes, timeoutMs }: ReadBounds,
  signal: AbortSignal,
): Promise<RawBody> {
  const reader = body?.getReader()
  const chunks: Uint8Array[] = []
  let [bytes, end]: [number, ReadEnd] = [0, 'whole']
  const { promise: stopped, resolve: stop, reject } = Promise.withResolvers<'time'>()
  stopped.catch(() => {})
  const timer = setTimeout(() => stop('time'), Math.max(0, timeoutMs))
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort)
  try {
    while (reader !== undefined && end === 'whole') {
      const chunk = await Promise.race([reader.read(), stopped])
      if (chunk === 'time') end = 'time'
      if (chunk === 'time' || chunk.done) break
      bytes += chunk.value.byteLength
      chunks.push(chunk.value)
      if (bytes > maxBytes) end = 'enough'
    }
  } catch {
    end = 'broken'
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    if (end !== 'whole') void reader?.cancel().catch(() => {})
  }
  signal.throwIfAborted()
  return { raw: Buffer.concat(chunks), end }
}

/** Cancels a body that isn't needed, even if it has failed. */
export async function letGo({ body }: Response): Promise<void> {
  await body?.cancel().catch(() => {})
}

/**
 * A body after decompression, or as much as there is of it.
 * @returns undefined if it can't be decompressed, or is larger than that
 */
export function decompressedPart(
  raw: Buffer,
  headers: Headers,
  maxOutputLength: number,
): Uint8Array | undefined {
  try {
    return decompress(raw, codingsOf(headers), maxOutputLength, true)
  } catch {
    return undefined
  }
}

/**
 * What to keep of a failed answer's body.
 * @param plain after decompression; undefined if that failed
 * @param isWhole whether that is all of it
 */
export function keptBody(
  plain: Uint8Array | undefined,
  headers: Headers,
  isWhole: boolean,
  hide: Hide,
): KeptBody {
  if (plain === undefined || plain.byteLength === 0) return { isTruncated: !isWhole }
  const hash = sha256(plain)
  const type = mediaTypeIn(headers.get('content-type'))
  const all = decodeText(plain.subarray(0, READ_FOR_KEPT_BYTES), type, true)?.text
  if (all === undefined) return { hash, isTruncated: !isWhole }
  const text = hide(all)
  const isLonger = text.length > KEPT_CHARS || plain.byteLength > READ_FOR_KEPT_BYTES
  return { hash, text: storable(text.slice(0, KEPT_CHARS)), isTruncated: isLonger || !isWhole }
}
