import type { Server } from 'bun'
import { reset, sendSlowly, slowsDocuments, statusInstead, untilAnswered } from '../faults/answers.ts'
import { actionsRoute, faultsRoute } from '../faults/api.ts'
import type { FaultHolder } from '../faults/faults.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { type Activate, type Answer, readActivation } from './activation.ts'
import type { EventFeed, Feed } from './events.ts'
import { jsonWithEtag, methodNotAllowed, preflight, withCors } from './http.ts'
import type { ServiceState } from './state.ts'

/** Requests that a fault keeps waiting at a time; at the bound the next one's connection is reset. */
const MAX_HELD = 100
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
  ['/feed', ['GET', 'HEAD']],
  ['/health', ['GET', 'HEAD']],
  ['/faults', ['GET', 'PUT', 'DELETE']],
  ['/faults/actions', ['POST']],
])
/** What people follow, where a service's faults show. */
const FOLLOWED: ReadonlySet<string> = new Set(['/state', '/feed', '/events'])

/** What a polled document is made from, anew for every request. */
export interface FeedSource {
  snapshot(): object
  /** Default true. */
  readonly hasEtag?: boolean
}

export interface ServiceApiOptions {
  name: string
  activate: Activate
  /** Whether an activation has to bring a colour to show: a node's has, a leaf shows its own. */
  needsColor: boolean
  /** Activations under way at a time; at the bound one is refused with 503. */
  maxInFlight: number
  state: ServiceState
  feed: EventFeed
  /** What `/events` shows in its place. Default none. */
  own?: Feed | undefined
  /** What `/feed` shows. Default nothing. */
  document?: FeedSource | undefined
  faults: FaultHolder
  /** What the faults of its documents are drawn from. */
  random: Random
  world: World
  closing: AbortSignal
}

/** What a simulated service answers over HTTP. */
export class ServiceApi {
  readonly #options: ServiceApiOptions
  /** Requests that a fault keeps waiting. */
  #held = 0

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
    const { faults } = this.#options
    if (pathname === '/faults') return faultsRoute(request, faults)
    if (pathname === '/faults/actions') return actionsRoute(request, this.#feed)
    if (faults.current.reset) return reset()
    if (pathname === '/activate') return this.#activate(request, server)
    if (FOLLOWED.has(pathname)) return this.#followed(pathname, request, server)
    return Response.json({ status: 'ok', readers: this.#feed.readers })
  }

  get #feed(): Feed {
    return this.#options.own ?? this.#options.feed
  }

  async #activate(request: Request, server: Server<undefined>): Promise<Response> {
    const { name, activate, needsColor, maxInFlight, state, feed, world, closing } = this.#options
    const activation = await readActivation(request)
    if ('refusal' in activation) return toResponse(activation.refusal)
    if (needsColor && activation.color === '') return toResponse(NO_COLOR)
    if (state.inFlight >= maxInFlight) return toResponse(BUSY)
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

  /** Answers with a document or the event stream, unless a fault has it otherwise. */
  async #followed(pathname: string, request: Request, server: Server<undefined>): Promise<Response> {
    const { faults, document, state } = this.#options
    if (pathname === '/feed' && document === undefined) return toResponse(NOT_FOUND)
    if (faults.current.sse?.halfOpen && !(await this.#hold(request, server))) return reset()
    const { status, json, ...sse } = faults.current.sse ?? {}
    if (status !== undefined) return statusInstead(status, sse)
    if (pathname === '/events') return json ? Response.json(state.snapshot()) : this.#events(request, server)
    const source: FeedSource = pathname === '/feed' && document ? document : state
    const value = source.snapshot()
    const answer = source.hasEtag === false ? Response.json(value) : jsonWithEtag(request, value)
    if (request.method === 'HEAD' || answer.body === null || !slowsDocuments(sse)) return answer
    return this.#slowly(answer, request, server)
  }

  /** Accepts a connection without answering. @returns whether there was room to */
  async #hold(request: Request, server: Server<undefined>): Promise<boolean> {
    const { faults, closing } = this.#options
    if (this.#held >= MAX_HELD) return false
    this.#held++
    server.timeout(request, NO_IDLE_LIMIT)
    await untilAnswered(faults, request.signal, closing)
    this.#held--
    return true
  }

  async #slowly(document: Response, request: Request, server: Server<undefined>): Promise<Response> {
    const { faults, random, closing } = this.#options
    if (this.#held >= MAX_HELD) return reset()
    this.#held++
    server.timeout(request, NO_IDLE_LIMIT)
    return sendSlowly(document, { faults, random, closing, onEnd: () => this.#held-- })
  }

  #events(request: Request, server: Server<undefined>): Response {
    const { state } = this.#options
    server.timeout(request, NO_IDLE_LIMIT)
    const stream = this.#feed.open({
      lastEventId: request.headers.get('Last-Event-ID'),
      state: JSON.stringify(state.snapshot()),
      onEnd: () => server.timeout(request, DRAIN_SECONDS),
    })
    return stream ?? toResponse(TOO_MANY_READERS)
  }
}

function toResponse({ status, body, headers = {}, reset: isReset }: Answer): Response {
  return isReset ? reset() : Response.json(body, { status, headers })
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
