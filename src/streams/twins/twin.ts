import { eq, or } from 'drizzle-orm'
import { streams } from '../../../drizzle/schema.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import { sumsOf, type Window } from '../measures/measures.ts'
import { readSavings } from '../measures/savings.ts'
import { newStream } from '../registry/new-stream.ts'
import { measuredSaving, pairSums } from './twins.ts'

/** What twins have in common: the API, and the part of it they follow. */
const SHARED = [
  'url',
  'headers',
  'intervalMs',
  'payloadPointer',
  'select',
  'ignorePaths',
  'arrayKeys',
] as const
/** Leaves room in the twin's name for the suffix. */
const MAX_NAME_CHARS = 180
/** What the proxy doesn't support. */
const POLLED = ['kind', 'method', 'body'] as const

/**
 * The twin of a polled stream: it follows the same API through Weir's own proxy, so that both can be measured.
 * @throws Problem `invalid_field` if there is nothing to compare
 */
export function makeTwin(stream: Stream): Stream {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'twin')
  if (!STREAM_KIND[stream.kind].isPolled)
    throw refuse('Only a polled stream can have a twin. This API already sends events.')
  if (stream.method !== 'GET')
    throw refuse('Only a stream polled with GET can have a twin: the proxy sends GET requests only.')
  const { url, headers, intervalMs, payloadPointer, ignorePaths, arrayKeys, name, tags, notify, desired } =
    stream
  const { deadAfterFailures, deadAfterMs, select } = stream
  return newStream({
    ...{ url, headers, intervalMs, payloadPointer, ignorePaths, arrayKeys, tags, notify, desired },
    ...{ deadAfterFailures, deadAfterMs, select },
    name: `${name.slice(0, MAX_NAME_CHARS)} (streamed)`,
    kind: 'sse',
    via: 'proxy',
    twinOf: stream.id,
  })
}

/** Whether a stream without a twin could have one. */
export function mayHaveTwin(stream: Pick<Stream, 'kind' | 'method' | 'twinOf' | 'proxyKey'>): boolean {
  const { kind, method, twinOf, proxyKey } = stream
  return STREAM_KIND[kind].isPolled && method === 'GET' && twinOf === null && proxyKey === null
}

/** What one of two twins received, in bytes and counts. */
export interface TwinSide {
  id: string
  name: string
  /** Polls that were answered, or connections of the event stream. */
  requests: number
  /** Documents and changes received: bodies that differed, or events. */
  versions: number
  errors: number
  /** Size of the responses' status lines and headers. */
  headBytes: number
  /** Bodies, or frames and heartbeats, as received: compressed. */
  wireBytes: number
  totalBytes: number
}

/** `from` is as requested, or when the twin was made, if that is later. */
export interface TwinReport extends Window {
  polling: TwinSide
  streaming: TwinSide
  /** What streaming saves, as on the stream's page, over the whole window; null without polls. */
  saving: number | null
  /** 1 − bytes that streaming received / bytes of polling with gzip and validators; null before anything was polled. */
  measuredSaving: number | null
  /** The same compared with what Weir's own polls received, which depends on what the API supports. */
  polledSaving: number | null
}

/**
 * What a stream and its twin have received, measured over the same window.
 * @param id the ID of either
 * @returns undefined if the stream has no twin
 */
export async function twinReport(db: Database, id: string, window: Window): Promise<TwinReport | undefined> {
  const mine = await db
    .select()
    .from(streams)
    .where(or(eq(streams.id, id), eq(streams.twinOf, id)))
  const streamed = mine.find((stream) => stream.twinOf !== null)
  if (streamed?.twinOf == null) return undefined
  const [polled] = await db.select().from(streams).where(eq(streams.id, streamed.twinOf))
  if (polled === undefined) return undefined
  // Polls before the twin existed have nothing to compare with.
  const from = new Date(
    Math.min(Math.max(window.from.getTime(), streamed.createdAt.getTime()), window.to.getTime()),
  )
  const both = { from, to: window.to }
  const [polling, streaming, sums, saved] = await Promise.all([
    sideOf(db, polled, both),
    sideOf(db, streamed, both),
    pairSums(db, { id: polled.id, streamingId: streamed.id }, both),
    readSavings(db, { streamId: polled.id }, window),
  ])
  const polledSaving = polling.totalBytes === 0 ? null : 1 - streaming.totalBytes / polling.totalBytes
  const savings = { saving: saved?.saving ?? null, measuredSaving: measuredSaving(sums), polledSaving }
  return { ...both, polling, streaming, ...savings }
}

async function sideOf(db: Database, { id, name, kind }: Stream, window: Window): Promise<TwinSide> {
  const sums = await sumsOf(db, { streamId: id }, window)
  const { polls, errors, headBytes, wireBytes, changed, compared, events } = sums
  const first = polls > compared ? 1 : 0
  return {
    id,
    name,
    requests: polls,
    versions: STREAM_KIND[kind].isPolled ? changed + first : events,
    errors,
    headBytes,
    wireBytes,
    totalBytes: headBytes + wireBytes,
  }
}

/**
 * Applies a change of a stream to its twin.
 * @returns the twin's ID in a list, which is empty if there is no twin or nothing to change
 * @throws Problem `conflict` for a change that would leave nothing to compare
 */
export async function changeTwin(tx: Database, id: string, change: Partial<Stream>): Promise<string[]> {
  const shared = Object.fromEntries(
    SHARED.filter((field) => change[field] !== undefined).map((field) => [field, change[field]]),
  )
  const polled = POLLED.find((field) => change[field] !== undefined)
  // The proxy reads these when the twin connects to it: it has to connect again.
  const isSignedInOtherwise = change.auth !== undefined || change.tls !== undefined
  if (Object.keys(shared).length === 0 && polled === undefined && !isSignedInOtherwise) return []
  const set = { ...shared, updatedAt: change.updatedAt }
  const twins = await tx.update(streams).set(set).where(eq(streams.twinOf, id)).returning({ id: streams.id })
  if (polled !== undefined && twins.length > 0) {
    throw new Problem(
      'conflict',
      `Can't change ${polled}: the twin of this stream doesn't support it.`,
      polled,
    )
  }
  return twins.map((twin) => twin.id)
}
