import { Problem } from '../../errors.ts'
import { isDamage } from './damage.ts'
import { sqlStateOf } from './sql-state.ts'

/**
 * What is wrong with the database or the queue, as far as a caller should know: no hosts, no users. All of it passes, or
 * an operator ends it; none of it is a bug of Weir.
 */
export const OUTAGES = {
  unreachable: "The database can't be reached.",
  busy: 'The database is too busy, or locked.',
  'read-only': 'The database is read-only, so nothing can be stored.',
  full: 'The database has no space left.',
  'queue unreachable': "Redis can't be reached.",
  'queue refuses': 'Redis is read-only, full, or still loading.',
} as const
export type Outage = keyof typeof OUTAGES

/**
 * By SQLSTATE or its class, the longest first.
 * @see https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const STATES: readonly (readonly [prefix: string, outage: Outage])[] = [
  ['53100', 'full'],
  // Connections, memory.
  ['53', 'busy'],
  ['25006', 'read-only'],
  // Cancelled, such as by a timeout.
  ['57014', 'busy'],
  // A transaction that was idle, or took too long.
  ['25P03', 'busy'],
  ['25P04', 'busy'],
  // Shut down, crashed, starting up.
  ['57', 'unreachable'],
  ['58', 'unreachable'],
  ['08', 'unreachable'],
  // Wrong password, no such database: changed while Weir runs.
  ['28', 'unreachable'],
  ['3D000', 'unreachable'],
  ['55P03', 'busy'],
  // Serialization failures and deadlocks.
  ['40', 'busy'],
]
/** Errors of connections, which have no SQLSTATE. */
const CONNECTION =
  /^Connection terminated|^Connection ended|^timeout expired|timeout exceeded when trying to connect|is not queryable|^Query read timeout|^Cannot use a pool after|^The server does not support SSL/
/** A socket's errors, if they are of connecting to a server or talking to it. */
const SOCKET_CALLS: ReadonlySet<unknown> = new Set(['connect', 'read', 'write', 'getaddrinfo'])
const SOCKET_CODES =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOENT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EACCES)$/
/** Wait between two attempts, in milliseconds. */
const RETRY_MS = 1_000
/** Redis' answers begin with a code. */
const REDIS_REFUSES =
  /^(READONLY|OOM|LOADING|MISCONF|BUSY|NOAUTH|WRONGPASS|NOPERM|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)\b/
const REDIS_AWAY =
  /^Connection is closed|^Command timed out|^Stream isn't writeable|^Reached the max retries per request/

/** Why the database or the queue can't be used at the moment; undefined if the error is something else, such as a bug. */
export function outageOf(error: unknown): Outage | undefined {
  if (isDamage(error)) return undefined
  const state = sqlStateOf(error)
  const known = STATES.find(
    ([prefix]) => state !== undefined && /^[0-9A-Z]{5}$/.test(state) && state.startsWith(prefix),
  )
  return known?.[1] ?? ofCause(error)
}

/** Repeats work until it isn't prevented by an outage, for as long as it is wanted. @throws the error otherwise */
export async function throughOutage<T>(work: () => Promise<T>, isWanted: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!isWanted() || outageOf(error) === undefined) throw error
      await Bun.sleep(RETRY_MS)
    }
  }
}

/** The answer to a request that fails because of it. */
export function outageProblem(outage: Outage): Problem {
  return new Problem('unavailable', `${OUTAGES[outage]} Try again in a few seconds.`)
}

/** Drizzle wraps what its driver throws. */
function ofCause(error: unknown): Outage | undefined {
  if (!(error instanceof Error)) return undefined
  const { message, cause, code, syscall } = error as NodeJS.ErrnoException
  if (CONNECTION.test(message)) return 'unreachable'
  if (REDIS_REFUSES.test(message)) return 'queue refuses'
  if (REDIS_AWAY.test(message)) return 'queue unreachable'
  if (SOCKET_CALLS.has(syscall) && SOCKET_CODES.test(code ?? '')) return 'unreachable'
  return cause === undefined ? undefined : ofCause(cause)
}
