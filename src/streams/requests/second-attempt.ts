/** One attempt of a request. The signal aborts it, whatever becomes of the others. */
export type Attempt = (isFresh: boolean, signal: AbortSignal) => Promise<Response>

export interface SecondAttemptOptions {
  /** Without the head of a response for this long, in milliseconds, a second attempt begins. */
  afterMs: number
  /** Whether a failure shows that the connection was dead before the request. */
  isDeadConnection(error: unknown): boolean
  /** Ends both attempts. */
  signal: AbortSignal
}

/** Shortest wait for a response on a kept connection, in milliseconds. */
const MIN_PATIENCE_MS = 1_000
/** A response is late after this many times as long as the last one took. */
const LATE_FACTOR = 4

/**
 * How long a kept connection may be silent before it is taken for dead, in milliseconds: by what the last response
 * took, and early enough that a second attempt has half of the time.
 * @param lastMs how long the head of the last response took
 */
export function patienceMs(lastMs: number, requestTimeoutMs: number): number {
  return Math.min(Math.max(LATE_FACTOR * lastMs, MIN_PATIENCE_MS), requestTimeoutMs / 2)
}

/**
 * Sends a request on a kept connection, and a second time on a fresh one if the kept one seems to be dead: it was reset
 * before it delivered anything, or is silent, as after a NAT has forgotten it. The first response counts; the other
 * attempt is aborted, and its body is never read.
 * @throws what the last attempt fails with
 */
export async function withSecondAttempt(
  attempt: Attempt,
  { afterMs, isDeadConnection, signal }: SecondAttemptOptions,
): Promise<Response> {
  const first = start(attempt, false, signal)
  const silent = Promise.withResolvers<'silent'>()
  const timer = setTimeout(() => silent.resolve('silent'), afterMs)
  try {
    const outcome = await Promise.race([first.response, silent.promise])
    if (outcome !== 'silent') return outcome
  } catch (error) {
    if (signal.aborted || !isDeadConnection(error)) throw error
    return await attempt(true, signal)
  } finally {
    clearTimeout(timer)
  }
  return faster(first, start(attempt, true, signal))
}

interface Started {
  response: Promise<Response>
  abandon(): void
}

function start(attempt: Attempt, isFresh: boolean, signal: AbortSignal): Started {
  const own = new AbortController()
  const response = attempt(isFresh, AbortSignal.any([signal, own.signal]))
  // Whoever races it may have gone on already when it fails.
  response.catch(() => {})
  return {
    response,
    abandon() {
      own.abort()
      void response.then(({ body }) => body?.cancel()).catch(() => {})
    },
  }
}

/** The response of the attempt that is answered first. */
async function faster(first: Started, second: Started): Promise<Response> {
  const won = (winner: Started, loser: Started) =>
    winner.response.then((response) => {
      loser.abandon()
      return response
    })
  try {
    return await Promise.any([won(first, second), won(second, first)])
  } catch {
    return second.response
  }
}
