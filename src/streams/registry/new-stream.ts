import { checkpoints, states, streams } from '../../../drizzle/schema.ts'
import { type Evidence, RESTING } from '../../core/judging/status.ts'
import type { Status } from '../../core/sets/statuses.ts'
import { emptyFields } from '../../core/sets/stream-fields.ts'
import { STREAM_KIND } from '../../core/sets/stream-kinds.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'

/** A stream with default settings. */
export function newStream(said: Pick<Stream, 'url' | 'kind'> & Partial<Stream>): Stream {
  const now = new Date()
  return {
    id: Bun.randomUUIDv7(),
    name: defaultName(said.url),
    method: STREAM_KIND[said.kind].method,
    headers: {},
    body: null,
    intervalMs: 60_000,
    silenceMs: null,
    resumes: false,
    ...emptyFields(),
    auth: null,
    tls: null,
    messages: null,
    push: null,
    pushToken: null,
    retention: null,
    deadAfterFailures: null,
    deadAfterMs: null,
    desired: 'running',
    alwaysOn: true,
    proxyKey: null,
    owner: null,
    via: null,
    twinOf: null,
    createdAt: now,
    updatedAt: now,
    ...said,
  }
}

/**
 * Stores new streams with their checkpoint and an empty state.
 * @returns the new ones; a stream whose `proxyKey` exists already is left out
 */
export async function insertStreams(tx: Database, list: readonly Stream[]): Promise<Stream[]> {
  const inserted = await tx
    .insert(streams)
    .values([...list])
    .onConflictDoNothing({ target: streams.proxyKey })
    .returning()
  if (inserted.length === 0) return inserted
  await tx.insert(checkpoints).values(inserted.map((stream) => ({ streamId: stream.id, epoch: 0, seq: 0 })))
  await tx.insert(states).values(
    inserted.map(({ id, desired, alwaysOn, createdAt }) => {
      const evidence: Evidence = { phase: 'idle', phaseSince: createdAt.getTime(), failures: 0 }
      return {
        streamId: id,
        epoch: 0,
        evidence,
        ...opening(desired),
        statusSince: createdAt,
        subscribedAt: alwaysOn ? null : createdAt,
      }
    }),
  )
  return inserted
}

/** The status between a change of the desired state and the first report of a worker. */
export function opening(desired: Stream['desired']): { status: Status; statusReason: string } {
  return desired === 'running'
    ? { status: 'quiet', statusReason: 'Starting.' }
    : { status: 'stopped', statusReason: RESTING[desired] }
}

/** The name of a stream whose owner doesn't set one. */
export function defaultName(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname === '/' ? '' : pathname}`.slice(0, 200)
}
