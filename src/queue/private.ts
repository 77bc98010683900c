import type { PostgresQueueBackend, Worker } from 'bullmq'

/**
 * Private members of BullMQ, which any release may change. All of them are here, and test/queue/private.test.ts compares them
 * with the installed version.
 */

/** The version they were read in. On an update, read them again. */
export const READ_IN = '6.7.0'

/** A job as BullMQ returns it to a worker, or `[null, '', 0, 0]`. */
type NextJob = unknown[]
type Row = Record<string, unknown>

/** Runs a statement in the backend's schema, on its pool. */
export async function query(backend: PostgresQueueBackend, text: string, values: unknown[]): Promise<Row[]> {
  // biome-ignore lint/complexity/useLiteralKeys: only brackets reach a private member
  return (await backend['query'](text, values)).rows
}

/** Turns a claimed row of BullMQ's table into what a worker expects. */
export function nextJob(backend: PostgresQueueBackend, row: Row, now: number): Promise<NextJob> {
  // biome-ignore lint/complexity/useLiteralKeys: only brackets reach a private member
  return backend['buildNextJobResult']([row], null, now)
}

/** Makes a worker request another job instead of waiting for the next announcement. */
export function requestAgain(worker: Worker): void {
  // biome-ignore lint/complexity/useLiteralKeys: only brackets reach a private member
  worker['drained'] = false
}
