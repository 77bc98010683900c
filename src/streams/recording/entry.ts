import type { ENTRY_KINDS } from '../../../drizzle/schema.ts'

export type EntryKind = (typeof ENTRY_KINDS)[number]

/** A request that Weir made, as its log shows it: values of the owner's own headers are not shown. */
export interface LoggedRequest {
  method: string
  url: string
  headers: Record<string, string>
}

/** The response to it, without its body, which is the entry's `data`. */
export interface LoggedResponse {
  status: number
  headers: Record<string, string>
  /** From the request to the response's headers, in milliseconds. */
  firstByteMs: number
  /** From the request to the body's last byte, in milliseconds; left out for a response that goes on. */
  durationMs?: number
}

export interface Exchange {
  request: LoggedRequest
  response?: LoggedResponse
}

/** What a run has to say, before it has a number. */
export interface Draft {
  /** Milliseconds since the epoch. */
  at: number
  kind: EntryKind
  event?: string
  eventId?: string
  wireBytes: number
  bodyBytes: number
  /** Of the response's status line and headers, as HTTP/1.1 has them (`poll`). */
  headBytes?: number
  /** What asking again would have moved, plainly and with gzip (`poll`): of a 304, the body it stands for. */
  plainBytes?: number
  gzipBytes?: number
  /**
   * Of the change as a patch, also where the snapshot was smaller and stands in its place; 0 when nothing changed.
   * Left out where nothing was compared, or no patch could be made.
   */
  patchBytes?: number
  /** Of the document as a snapshot has it; on snapshots and patches. */
  snapshotBytes?: number
  /** Of the change as a compressed SSE frame; left out where nothing changed, and of events. */
  deflatedBytes?: number
  changed?: boolean
  hash?: string
  /** JSON text for snapshots, patches, errors and gaps; as it came for events and text bodies. */
  data?: string
  exchange?: Exchange
  /** Paths that changed, as {@link changedPaths} has them: counted when the entry is stored, not kept with it. */
  paths?: readonly string[]
}

/** One stored line of a stream's log. */
export interface Entry extends Draft {
  streamId: string
  epoch: number
  /** Position in the stream's log, from 1, without holes. */
  seq: number
}

/** An entry as the API shows it. `data` is parsed JSON of the kinds in {@link JSON_KINDS}, else text. */
export interface EntryJson extends Omit<Entry, 'at' | 'data' | 'exchange' | 'paths'>, Partial<Exchange> {
  /** ISO 8601. */
  at: string
  data?: unknown
}

/** Entry kinds whose `data` is JSON text. */
export const JSON_KINDS: ReadonlySet<EntryKind> = new Set(['snapshot', 'patch', 'error', 'gap'])

/**
 * Whether an entry is a keyframe: a snapshot that only bounds what a rebuild reads. The patch before it brought the same
 * document already, and readers of the patches need not be sent it.
 */
export function isKeyframe({ kind, bodyBytes }: Pick<Entry, 'kind' | 'bodyBytes'>): boolean {
  return kind === 'snapshot' && bodyBytes === 0
}

/**
 * An entry as the API shows it, as JSON text. Stored JSON is put in as it is: a document of megabytes is not
 * parsed to be printed.
 */
export function entryJson(entry: Entry): string {
  const { data, kind, exchange, at, paths: _, ...rest } = entry
  const head = JSON.stringify({
    ...rest,
    at: new Date(at).toISOString(),
    kind,
    request: exchange?.request,
    response: exchange?.response,
  })
  if (data === undefined) return head
  return `${head.slice(0, -1)},"data":${JSON_KINDS.has(kind) ? data : JSON.stringify(data)}}`
}

/** Text as Postgres can hold it: NUL can't be stored, and a lone surrogate is no text; both become U+FFFD. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed()
}
