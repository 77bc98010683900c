import type { Random } from '../random.ts'
import { Wire } from '../service/wire.ts'
import type { FaultHolder, SseFaults } from './faults.ts'
import { RETRY_AFTER_SECONDS } from './faults.ts'
import { cut } from './sse-faults.ts'

/** Statuses that tell when to come back. */
const ASKS_TO_WAIT: ReadonlySet<number> = new Set([429, 503])
/** Statuses that have no body. */
const HAS_NO_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** Closes the connection without a byte: the reader sees it reset. */
export function reset(): Response {
  // An error with a value is printed by Bun.
  return new Response(new ReadableStream({ start: (controller) => controller.error() }))
}

/** The status that is answered in place of what was asked for. */
export function statusInstead(status: number, { retryAfterSeconds }: SseFaults): Response {
  const headers = new Headers()
  if (ASKS_TO_WAIT.has(status)) headers.set('Retry-After', String(retryAfterSeconds ?? RETRY_AFTER_SECONDS))
  if (HAS_NO_BODY.has(status)) return new Response(null, { status, headers })
  return Response.json({ error: 'The fault that was asked for', status }, { status, headers })
}

/** Waits for as long as a service accepts connections without answering them, or until the client has left. */
export async function untilAnswered(
  faults: FaultHolder,
  gone: AbortSignal,
  closing: AbortSignal,
): Promise<void> {
  const over = AbortSignal.any([gone, closing])
  while (faults.current.sse?.halfOpen && !over.aborted) {
    await new Promise<void>((resolve) => {
      const go = () => {
        over.removeEventListener('abort', go)
        stopListening()
        resolve()
      }
      const stopListening = faults.onChange(go)
      over.addEventListener('abort', go)
    })
  }
}

/** Whether the faults change how a document reaches its reader. */
export function slowsDocuments({ stall, truncate, bufferMs, slowDripBytesPerSecond }: SseFaults): boolean {
  return (
    stall === true || truncate !== undefined || bufferMs !== undefined || slowDripBytesPerSecond !== undefined
  )
}

export interface DocumentOptions {
  faults: FaultHolder
  random: Random
  closing: AbortSignal
  /** Called once the answer is over. */
  onEnd: () => void
}

/**
 * Sends a document as an event stream's frame would go: cut, held back, dripping; or stalled in its middle, with the
 * rest once that is over.
 */
export async function sendSlowly(
  response: Response,
  { faults, random, closing, onEnd }: DocumentOptions,
): Promise<Response> {
  const whole = { bytes: new Uint8Array(await response.arrayBuffer()) }
  const { truncate = 0, stall } = faults.current.sse ?? {}
  const sent = random() < truncate ? cut(whole, random()) : whole
  const half = stall ? Math.floor(sent.bytes.byteLength / 2) : 0
  let wire: Wire
  let stopListening = () => {}
  const end = () => wire.end()
  const goOn = () => {
    wire.faultsChanged()
    if (!wire.isReady) return
    wire.sendPlain(sent.bytes.subarray(half))
    wire.finish()
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      wire = new Wire({
        controller,
        faults,
        random,
        onEnd: () => {
          stopListening()
          closing.removeEventListener('abort', end)
          onEnd()
        },
      })
      stopListening = faults.onChange(goOn)
      closing.addEventListener('abort', end)
      if (half > 0) wire.write({ bytes: sent.bytes.subarray(0, half) })
      goOn()
    },
    cancel: end,
  })
  const headers = new Headers(response.headers)
  headers.delete('Content-Length')
  return new Response(body, { status: response.status, headers })
}
