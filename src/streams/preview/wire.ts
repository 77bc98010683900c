import type { EgressConnect } from '../../net/egress.ts'
import type { Format, Piece } from '../ingest/connection/follow-connection.ts'
import type { Stream } from '../ingest/run.ts'
import {
  type Limits,
  type Means,
  type UpstreamAnswer,
  UpstreamError,
  type UpstreamFetch,
} from '../ingest/upstream.ts'
import { GRAPHQL } from '../ingest/websocket/follow-graphql.ts'
import { WEBSOCKET } from '../ingest/websocket/follow-websocket.ts'
import { type PreviewBounds, type PreviewRead, stopAfter } from './read.ts'

/** Kinds whose connections aren't told by the answer to a plain request. */
const FORMATS: Partial<Record<Stream['kind'], Format>> = { websocket: WEBSOCKET, graphql: GRAPHQL }

/** How a kind is previewed by connecting as its streams do; undefined if one plain request shows it. */
export function connectedFormat(kind: Stream['kind'] | undefined): Format | undefined {
  return kind && FORMATS[kind]
}

export interface ConnectionDeps {
  limits: Limits
  fetch: UpstreamFetch
  connect: EgressConnect | undefined
  /** How the request is sent. Default: plainly. */
  means?: Means | undefined
}

/**
 * Connects as a stream does, and reads its first events.
 * @param answered called with the answer before anything is read
 * @throws UpstreamError; the signal's reason when it is aborted
 */
export async function readConnection(
  format: Format,
  stream: Stream,
  { limits, fetch, connect, means = {} }: ConnectionDeps,
  bounds: PreviewBounds,
  signal: AbortSignal,
  answered: (answer: UpstreamAnswer) => void,
): Promise<PreviewRead> {
  const read: PreviewRead = { body: new Uint8Array(), wireBytes: 0, events: [], comments: 0, end: 'whole' }
  const wire = format.wire(stream, {
    maxChars: bounds.bodyBytes,
    onLarge: () => {},
    onEvent({ event = 'message', id = null, data }) {
      if (read.events.length < bounds.events) read.events.push({ event, id, data })
    },
  })
  const { answer } = await wire.ask({
    request: stream,
    lastEventId: '',
    limits,
    signal,
    fetch,
    connect,
    means,
  })
  answered(answer)
  const refusal = wire.refusal(answer, Date.now())
  if (refusal !== undefined) throw refusal
  const source = wire.source(answer)
  const clock = stopAfter(bounds.eventsMs, signal)
  try {
    while (read.events.length < bounds.events && read.wireBytes <= bounds.bodyBytes) {
      const piece: Piece | 'time' | undefined = await Promise.race([source.read(), clock.stopped])
      if (piece === 'time') read.end = 'time'
      if (piece === undefined) source.finish(false)
      if (piece === 'time' || piece === undefined) return read
      read.wireBytes += piece.wireBytes
      piece.deliver()
    }
    read.end = 'enough'
    return read
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof UpstreamError) throw error
    throw new UpstreamError('ended_early', 'The connection closed.')
  } finally {
    clock.end()
    source.close()
  }
}
