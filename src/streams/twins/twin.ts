import { eq, or } from 'drizzle-orm'
import { streams } from '../../../drizzle/schema.ts'
import { Problem } from '../../errors.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'
import { sumsOf, type Window } from '../measures/measures.ts'
import { newStream } from '../registry/new-stream.ts'

/** What twins have in common: the API, and what of it they follow. */
const SHARED = ['url', 'headers', 'intervalMs', 'payloadPointer', 'ignorePaths', 'arrayKeys'] as const
/** So that the twin's name, with what is added to it, is no longer than a name may be. */
const MAX_NAME_CHARS = 180
/** What the proxy can't do. */
const POLLED = ['kind', 'method', 'body'] as const

/**
 * The twin of a polled stream: it follows the same API through Weir's own proxy, so that both can be measured.
 * @throws Problem `invalid_field` where there is nothing to compare
 */
export function makeTwin(stream: Stream): Stream {
  const refuse = (detail: string) => new Problem('invalid_field', detail, 'twin')
  if (stream.kind !== 'poll') throw refuse('The API streams already; only one that is polled has a twin.')
  if (stream.method !== 'GET') throw refuse('The proxy asks by GET alone; only such a stream has a twin.')
  const { url, headers, intervalMs, payloadPointer, ignorePaths, arrayKeys, name, tags, notify, desired } =
    stream
  return newStream({
    ...{ url, headers, intervalMs, payloadPointer, ignorePaths, arrayKeys, tags, notify, desired },
    name: `${name.slice(0, MAX_NAME_CHARS)} (streamed)`,
    kind: 'sse',
    via: 'proxy',
    twinOf: stream.id,
  })
}

/** Whether a stream that has no twin could have one. */
export function mayHaveTwin({
  kind,
  method,
  twinOf,
  proxyKey,
}: Pick<Stream, 'kind' | 'method' | 'twinOf' | 'proxyKey'>): boolean {
  return kind === 'poll' && method === 'GET' && twinOf === null && proxyKey === null
}

/** What one of two twins received. Bytes, counts. */
export interface TwinSide {
  id: string
  name: string
  /** Polls that were answered, or connections of the event stream. */
  requests: number
  /** Documents and changes received: bodies that differed, or events. */
  versions: number
  errors: number
  /** Status lines and headers of the responses. */
  headBytes: number
  /** Bodies, or frames and heartbeats, as they came: compressed. */
  wireBytes: number
  totalBytes: number
}

/** `from`: as asked, or when the twin was made, where that is later. */
export interface TwinReport extends Window {
  polling: TwinSide
  streaming: TwinSide
  /** 1 − streaming / polling, of the bytes received; null before anything was. */
  saving: number | null
}

/**
 * What a stream and its twin have received, measured side by side.
 * @param id of either
 * @returns undefined when the stream has no twin
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
  // What was polled before there was a twin has nothing beside it.
  const from = new Date(
    Math.min(Math.max(window.from.getTime(), streamed.createdAt.getTime()), window.to.getTime()),
  )
  const both = { from, to: window.to }
  const [polling, streaming] = await Promise.all([sideOf(db, polled, both), sideOf(db, streamed, both)])
  const saving = polling.totalBytes === 0 ? null : 1 - streaming.totalBytes / polling.totalBytes
  return { ...both, polling, streaming, saving }
}

async function sideOf(db: Database, { id, name, kind }: Stream, window: Window): Promise<TwinSide> {
  const sums = await sumsOf(db, { streamId: id }, window)
  const { polls, errors, headBytes, wireBytes, changed, compared, events } = sums
  const first = polls > compared ? 1 : 0
  return {
    id,
    name,
    requests: polls,
    versions: kind === 'sse' ? events : changed + first,
    errors,
    headBytes,
    wireBytes,
    totalBytes: headBytes + wireBytes,
  }
}

/**
 * Changes the twin of a stream as the stream was changed.
 * @returns its id, in a list that is empty when there is no twin or nothing to change
 * @throws Problem `conflict` for what would leave nothing to compare
 */
export async function changeTwin(tx: Database, id: string, change: Partial<Stream>): Promise<string[]> {
  const shared = Object.fromEntries(
    SHARED.filter((field) => change[field] !== undefined).map((field) => [field, change[field]]),
  )
  const polled = POLLED.find((field) => change[field] !== undefined)
  if (Object.keys(shared).length === 0 && polled === undefined) return []
  const set = { ...shared, updatedAt: change.updatedAt }
  const twins = await tx.update(streams).set(set).where(eq(streams.twinOf, id)).returning({ id: streams.id })
  if (polled !== undefined && twins.length > 0) {
    throw new Problem('conflict', `The twin of this stream can't follow a change of ${polled}.`, polled)
  }
  return twins.map((twin) => twin.id)
}
