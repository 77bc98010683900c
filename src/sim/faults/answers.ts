import type { Random } from '../random.ts'
import { FaultyWire } from '../service/wire.ts'
import type { BodyFault, FaultHolder, Faults, SseFaults } from './faults.ts'
import { RETRY_AFTER_SECONDS } from './faults.ts'
import { cutFrame } from './sse-faults.ts'

/** Statuses that carry `Retry-After`. */
const ASKS_TO_WAIT: ReadonlySet<number> = new Set([429, 503])
/** Statuses that have no body. */
const HAS_NO_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** Closes the connection without a byte: the client sees a connection reset. */
export function reset(): Response {
  // Bun prints an error that has a value.
  return new Response(new ReadableStream({ start: (controller) => controller.error() }))
}

/** A response with the injected status. */
export function statusInstead(status: number, { retryAfterSeconds }: SseFaults): Response {
  const headers = new Headers()
  if (ASKS_TO_WAIT.has(status)) headers.set('Retry-After', String(retryAfterSeconds ?? RETRY_AFTER_SECONDS))
  if (HAS_NO_BODY.has(status)) return new Response(null, { status, headers })
  return Response.json({ error: 'Injected fault', status }, { status, headers })
}

const JSON_TYPE = { 'Content-Type': 'application/json' }
const BODIES: Readonly<Record<BodyFault, () => Response>> = {
  page: () =>
    new Response('<!doctype html><h1>Down for maintenance</h1>', {
      headers: { 'Content-Type': 'text/html' },
    }),
  half: () => new Response('{"services":[', { headers: JSON_TYPE }),
  image: () =>
    new Response(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0, 0]), {
      headers: { 'Content-Type': 'image/png' },
    }),
  empty: () => new Response('', { headers: JSON_TYPE }),
  none: () => new Response(null, { status: 204 }),
}

/** Something else instead of a document. */
export function bodyInstead(body: BodyFault): Response {
  return BODIES[body]()
}

/** Waits while a service accepts requests without answering, or until the client has left. */
export async function untilAnswered(
  faults: FaultHolder,
  gone: AbortSignal,
  closing: AbortSignal,
  isHeld: (faults: Faults) => boolean,
): Promise<void> {
  const over = AbortSignal.any([gone, closing])
  while (isHeld(faults.current) && !over.aborted) {
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

/** Whether the faults change how a document is delivered. */
export function slowsDocuments({ stall, truncate, bufferMs, slowDripBytesPerSecond }: SseFaults): boolean {
  return (
    stall === true || truncate !== undefined || bufferMs !== undefined || slowDripBytesPerSecond !== undefined
  )
}

export interface DocumentOptions {
  faults: FaultHolder
  random: Random
  closing: AbortSignal
  /** Called when the response is complete. */
  onEnd: () => void
}

/**
 * Sends a document as an event stream would send a frame: truncated, delayed, dripping; or stalled halfway, with the
 * rest once the stall ends.
 */
export async function sendSlowly(
  response: Response,
  { faults, random, closing, onEnd }: DocumentOptions,
): Promise<Response> {
  const whole = { bytes: new Uint8Array(await response.arrayBuffer()) }
  const { truncate = 0, stall } = faults.current.sse ?? {}
  const sent = random() < truncate ? cutFrame(whole, random()) : whole
  const half = stall ? Math.floor(sent.bytes.byteLength / 2) : 0
  let wire: FaultyWire
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
      wire = new FaultyWire({
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
