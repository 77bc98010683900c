import type { Server } from 'bun'
import { type Activate, type Answer, readActivation } from './activation.ts'
import type { EventFeed } from './events.ts'
import { jsonWithEtag, methodNotAllowed, preflight, withCors } from './http.ts'
import type { ServiceState } from './state.ts'
import type { World } from './world.ts'

/**
 * Activations under way at a time; at the bound one is refused with 503. It also ends what services that call
 * each other in a circle would go on with for ever: two of them stay below Bun's 256 open requests per process.
 */
const MAX_IN_FLIGHT = 100
/** What a reader whose stream was ended may take to read the rest, before its connection is cut. In seconds. */
const DRAIN_SECONDS = 5
/** Bun's word for no limit on how long a connection may be idle, in seconds. */
const NO_IDLE_LIMIT = 0

const NO_COLOR: Answer = { status: 400, body: { error: 'Color not provided' } }
const BUSY: Answer = { status: 503, body: { error: 'Too many activations under way' } }
const CLOSING: Answer = { status: 503, body: { error: 'Service is closing' } }
const TOO_MANY_READERS: Answer = { status: 503, body: { error: 'Too many readers' } }
const NOT_FOUND: Answer = { status: 404, body: { error: 'Not found' } }

const METHODS = new Map<string, readonly string[]>([
  ['/activate', ['POST']],
  ['/state', ['GET', 'HEAD']],
  ['/events', ['GET']],
  ['/health', ['GET', 'HEAD']],
])

export interface ServiceApiOptions {
  name: string
  activate: Activate
  /** Whether an activation has to bring a colour to show: a node's has, a leaf shows its own. */
  needsColor: boolean
  state: ServiceState
  feed: EventFeed
  world: World
  closing: AbortSignal
}

/** What a simulated service answers over HTTP. */
export class ServiceApi {
  readonly #options: ServiceApiOptions

  constructor(options: ServiceApiOptions) {
    this.#options = options
  }

  async fetch(request: Request, server: Server<undefined>): Promise<Response> {
    return withCors(await this.#route(request, server))
  }

  #route(request: Request, server: Server<undefined>): Response | Promise<Response> {
    const { pathname } = new URL(request.url)
    const methods = METHODS.get(pathname)
    if (methods === undefined) return toResponse(NOT_FOUND)
    if (request.method === 'OPTIONS') return preflight(methods)
    if (!methods.includes(request.method)) return methodNotAllowed(methods)
    if (pathname === '/activate') return this.#activate(request, server)
    if (pathname === '/state') return jsonWithEtag(request, this.#options.state.snapshot())
    if (pathname === '/events') return this.#events(request, server)
    return Response.json({ status: 'ok' })
  }

  async #activate(request: Request, server: Server<undefined>): Promise<Response> {
    const { name, activate, needsColor, state, feed, world, closing } = this.#options
    const activation = await readActivation(request)
    if ('refusal' in activation) return toResponse(activation.refusal)
    if (needsColor && activation.color === '') return toResponse(NO_COLOR)
    if (state.inFlight >= MAX_IN_FLIGHT) return toResponse(BUSY)
    server.timeout(request, NO_IDLE_LIMIT)

    const startedAt = world.now()
    const { item = name, color } = activation
    state.activated()
    feed.publish('activated', { item, color, at: isoTime(startedAt) })
    const answer = await activate(activation).catch((error: unknown) => {
      if (closing.aborted) return CLOSING
      throw error
    })
    const answeredAt = world.now()
    const outcome = {
      status: answer.status,
      durationMs: Math.max(0, Math.round(answeredAt - startedAt)),
      at: isoTime(answeredAt),
    }
    state.answered(outcome)
    feed.publish('answered', outcome)
    return toResponse(answer)
  }

  #events(request: Request, server: Server<undefined>): Response {
    const { feed, state } = this.#options
    server.timeout(request, NO_IDLE_LIMIT)
    const stream = feed.open({
      lastEventId: request.headers.get('Last-Event-ID'),
      state: JSON.stringify(state.snapshot()),
      onEnd: () => server.timeout(request, DRAIN_SECONDS),
    })
    return stream ?? toResponse(TOO_MANY_READERS)
  }
}

function toResponse({ status, body }: Answer): Response {
  return Response.json(body, { status })
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
