import type { CheckCounts } from '../../core/judging/scheduled-checks.ts'
import type { Hop } from '../../core/judging/status.ts'
import type { OtherContent } from '../../core/sets/contents.ts'
import { ENTRY_KIND, type EntryKind } from '../../core/sets/entry-kinds.ts'

/** A request that Weir made, as the log shows it, without the values of the owner's headers. */
export interface LoggedRequest {
  method: string
  url: string
  headers: Record<string, string>
  /** Bytes sent, as HTTP/1.1 writes them, including requests to where it was redirected; omitted if none were. */
  bytes?: number
  /** Number of requests sent; omitted if it is one, or none. */
  count?: number
}

/** The response, without its body, which is the entry's `data`. */
export interface LoggedResponse {
  status: number
  headers: Record<string, string>
  /** From the request to the response's headers, in milliseconds. */
  firstByteMs: number
  /** From the request to the last byte of the body, in milliseconds; omitted for an endless response. */
  durationMs?: number
}

export interface Exchange {
  request: LoggedRequest
  response?: LoggedResponse
  /** The redirects before the response, and the bytes of their heads and bodies; omitted if there were none. */
  redirects?: { count: number; headBytes: number; bodyBytes: number; hops?: readonly Hop[] }
  /** The scheduled checks it decided; omitted for one: answered, or not in an error (`poll`). */
  checks?: CheckCounts
  /** Time since the last answered poll, which this one is compared with, in milliseconds. */
  comparedMs?: number
  /** Whether the last answer was still fresh when this request was sent; omitted if not, or if its headers didn't say. */
  isFresh?: true
  /** Whether the document had changed before, since that answer; omitted if not. */
  isOutdated?: true
  /** What the answer is, or the one that a 304 stands for; omitted for a document. */
  content?: OtherContent
  /** Whether the answer came from a shared cache; omitted if not, or if nothing says so. */
  isCacheHit?: true
}

/** An entry of a run before it has a number. */
export interface Draft {
  /** Milliseconds since the epoch. */
  at: number
  kind: EntryKind
  event?: string
  eventId?: string
  wireBytes: number
  /** Decoded, with what frames it: of an event, see {@link decodedOf}. */
  bodyBytes: number
  /** Size of the status line and headers of the response and of redirects, as in HTTP/1.1. */
  headBytes?: number
  /** What another request would have transferred, uncompressed and with gzip (`poll`); a 304 stands for its body. */
  plainBytes?: number
  gzipBytes?: number
  /**
   * Size of the change as a patch, even if the entry is a snapshot because that was smaller; 0 if nothing changed.
   * Omitted if nothing was compared, or no patch could be made.
   */
  patchBytes?: number
  /** Size of the document as a snapshot; on snapshots and patches. */
  snapshotBytes?: number
  /** Size of the change as a compressed SSE frame; omitted if nothing changed, and for events. */
  deflatedBytes?: number
  changed?: boolean
  hash?: string
  /** JSON text for snapshots, patches, errors and gaps; as received for events and text bodies. */
  data?: string
  exchange?: Exchange
  /** Changed paths, from {@link changedPaths}: counted when the entry is stored, not stored with it. */
  paths?: readonly string[]
}

/** One stored entry of a stream's log. */
export interface Entry extends Draft {
  streamId: string
  epoch: number
  /** Position in the stream's log, from 1, without holes. */
  seq: number
}

/** An entry as the API returns it. `data` is parsed JSON for the kinds in {@link JSON_KINDS}, else text. */
export interface EntryJson extends Omit<Entry, 'at' | 'data' | 'exchange' | 'paths'>, Partial<Exchange> {
  /** ISO 8601. */
  at: string
  /** Decoded bytes that belong to no content, if there are any: see {@link decodedOf}. */
  framingBytes?: number
  data?: unknown
}

/**
 * Whether an entry is a keyframe: a snapshot that only bounds a rebuild. The patch before it led to the same
 * document, so readers of the patches don't need it.
 */
export function isKeyframe({ kind, bodyBytes }: Pick<Entry, 'kind' | 'bodyBytes'>): boolean {
  return kind === 'snapshot' && bodyBytes === 0
}

/** The data of an event that stands for bytes: their hash and number. */
const HASHED_BYTES = /^\{"sha256":"[0-9a-f]{64}","bytes":\d+\}$/

/**
 * Splits what was decoded for an entry into its content and what frames it: names of fields, line ends and comments of
 * an event stream. Polled bodies and messages have no framing.
 */
export function decodedOf({
  kind,
  data,
  bodyBytes,
  exchange,
}: Entry): Pick<EntryJson, 'bodyBytes' | 'framingBytes'> {
  const { isEvent } = ENTRY_KIND[kind]
  if (!isEvent || exchange !== undefined || data === undefined || HASHED_BYTES.test(data))
    return { bodyBytes }
  const framingBytes = bodyBytes - Buffer.byteLength(data)
  return framingBytes > 0 ? { bodyBytes: bodyBytes - framingBytes, framingBytes } : { bodyBytes }
}

/**
 * An entry as the API returns it, as JSON text. Stored JSON is inserted as it is: a document of megabytes isn't
 * parsed just to be printed.
 */
export function entryJson(entry: Entry): string {
  const { data, kind, exchange, at, paths: _, ...rest } = entry
  const head = JSON.stringify({
    ...rest,
    ...decodedOf(entry),
    at: new Date(at).toISOString(),
    kind,
    request: exchange?.request,
    response: exchange?.response,
    redirects: exchange?.redirects,
    content: exchange?.content,
  })
  if (data === undefined) return head
  return `${head.slice(0, -1)},"data":${ENTRY_KIND[kind].isJson ? data : JSON.stringify(data)}}`
}

/** Text that Postgres can store: NUL and lone surrogates become U+FFFD. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed()
}
