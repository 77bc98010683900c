import {
  type BackendFactory,
  PostgresConnection,
  type PostgresConnectionOptions,
  PostgresQueueBackend,
} from 'bullmq'
import { batched } from '../core/batch.ts'
import { nextJob, query } from './private.ts'

/** Jobs claimed or returned in one statement. */
const BATCH = 1_000

interface Claim {
  token: string
  name: string | undefined
}

interface Return {
  id: string
  token: string
}

/**
 * BullMQ's Postgres backend, with one statement for all jobs that are claimed, or returned, at the same moment. One
 * transaction per job would take milliseconds each, and more as dead rows accumulate. Bulk statements skip BullMQ's event
 * stream, which nobody reads.
 */
class BulkBackend extends PostgresQueueBackend {
  readonly #claim = batched((claims: readonly Claim[]) => this.#claimAll(claims), BATCH)
  readonly #return = batched((returns: readonly Return[]) => this.#returnAll(returns), BATCH)

  override moveToActive(token: string, name?: string): Promise<unknown[]> {
    return this.#claim({ token, name })
  }

  override moveJobFromActiveToWait(id: string, token = '0'): Promise<number> {
    return this.#return({ id, token })
  }

  /** The first goes through BullMQ, which also handles delayed jobs, pauses and limits. */
  async #claimAll([first, ...others]: readonly Claim[]): Promise<unknown[][]> {
    if (first === undefined) return []
    const claimed = await super.moveToActive(first.token, first.name)
    if (others.length === 0 || !claimed[0]) return [claimed, ...others.map(() => claimed)]
    const now = Date.now()
    const { lockDuration } = this.opts as { lockDuration?: number }
    const rows = await query(
      this,
      `WITH next AS (
        SELECT id FROM job WHERE queue = $1 AND state = 'waiting'
        ORDER BY priority, seq FOR UPDATE SKIP LOCKED LIMIT $2
      ), numbered AS (
        SELECT id, row_number() OVER () AS number FROM next
      )
      UPDATE job
      SET state = 'active', lock_token = ($3::text[])[numbered.number], locked_until_ms = $4::bigint + $5::bigint,
        processed_at_ms = $4, processed_by = $6, attempts_started = attempts_started + 1
      FROM numbered WHERE queue = $1 AND job.id = numbered.id
      RETURNING job.*`,
      [
        this.queueName,
        others.length,
        others.map(({ token }) => token),
        now,
        lockDuration ?? 30_000,
        first.name ?? null,
      ],
    )
    const byToken = new Map(rows.map((row) => [row.lock_token, row]))
    const none = [null, '', 0, 0]
    const rest = others.map(async ({ token }) => {
      const row = byToken.get(token)
      return row === undefined ? none : nextJob(this, row, now)
    })
    return [claimed, ...(await Promise.all(rest))]
  }

  async #returnAll(returns: readonly Return[]): Promise<number[]> {
    await query(
      this,
      `WITH given AS (
        SELECT * FROM unnest($2::text[], $3::text[]) AS given(id, token)
      ), claimed AS (
        SELECT job.id FROM job JOIN given USING (id)
        WHERE queue = $1 AND state = 'active' AND given.token IN ('0', lock_token)
        ORDER BY job.id FOR UPDATE OF job
      ), returned AS (
        UPDATE job SET state = 'waiting', seq = nextval('job_seq'), lock_token = NULL, locked_until_ms = NULL
        FROM claimed WHERE queue = $1 AND job.id = claimed.id
        RETURNING job.id
      )
      SELECT pg_notify('bullmq_jobs', $1) FROM returned LIMIT 1`,
      [this.queueName, returns.map(({ id }) => id), returns.map(({ token }) => token)],
    )
    return returns.map(() => 0)
  }
}

/** Like BullMQ's `createPostgresBackend`, but in bulk. */
export const createBulkBackend: BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> = (
  name,
  opts,
  { withBlockingConnection, blocking } = {},
) => {
  const worker = (opts as { name?: string }).name
  const client = withBlockingConnection ? [name, ...(worker ? [`w:${worker}`] : [])].join(':') : undefined
  const connection = new PostgresConnection(opts.connection)
  return new BulkBackend(connection, name, opts, true, client ?? (blocking ? `${name}:qe` : undefined))
}
