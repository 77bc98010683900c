import { checkpoints, states, streams } from '../../../drizzle/schema.ts'
import { type Evidence, RESTING, type Verdict } from '../../core/judging/verdict.ts'
import type { Database } from '../../storage/storage.ts'
import type { Stream } from '../ingest/run.ts'

/** A stream as it is before its owner has said anything but where it is and what it is. */
export function newStream(said: Pick<Stream, 'url' | 'kind'> & Partial<Stream>): Stream {
  const now = new Date()
  return {
    id: Bun.randomUUIDv7(),
    name: defaultName(said.url),
    method: 'GET',
    headers: {},
    body: null,
    intervalMs: 60_000,
    silenceMs: null,
    payloadPointer: '',
    ignorePaths: [],
    arrayKeys: [],
    tags: [],
    notify: [],
    retention: null,
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
 * Stores new streams with all that belongs to each: where its first run begins, and that nothing is known of it yet.
 * @returns those that are new; one whose `proxyKey` is another's already is left out
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
        verdictSince: createdAt,
        subscribedAt: alwaysOn ? null : createdAt,
      }
    }),
  )
  return inserted
}

/** The verdict that holds from a change of what should run until a worker has something to say. */
export function opening(desired: Stream['desired']): { verdict: Verdict; verdictReason: string } {
  return desired === 'running'
    ? { verdict: 'quiet', verdictReason: 'Starting.' }
    : { verdict: 'stopped', verdictReason: RESTING[desired] }
}

/** What a stream is called whose owner doesn't say. */
export function defaultName(url: string): string {
  const { host, pathname } = new URL(url)
  return `${host}${pathname === '/' ? '' : pathname}`.slice(0, 200)
}
