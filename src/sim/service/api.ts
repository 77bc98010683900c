import type { Server } from 'bun'
import {
  bodyInstead,
  reset,
  sendSlowly,
  slowsDocuments,
  statusInstead,
  untilAnswered,
} from '../faults/answers.ts'
import { actionsRoute, faultsRoute } from '../faults/api.ts'
import type { FaultHolder, Faults } from '../faults/faults.ts'
import { Connections, redirectBy } from '../faults/http-faults.ts'
import type { Random } from '../random.ts'
import type { SimWorld } from '../world.ts'
import { type Activate, readActivation, type ServiceAnswer } from './activation.ts'
import type { EventFeed, ServiceFeed } from './events.ts'
import { jsonWithEtag, methodNotAllowed, preflight, withCors } from './http.ts'
import type { ServiceState } from './state.ts'

/** Requests held by a fault at a time; beyond it, the connection is reset. */
const MAX_HELD = 100
/** How long a reader whose stream was ended may take to read the rest before its connection is cut. In seconds. */
const DRAIN_SECONDS = 5
/** Bun's value for no idle timeout, in seconds. */
const NO_IDLE_LIMIT = 0

const NO_COLOR: ServiceAnswer = { status: 400, body: { error: 'Color not provided' } }
const BUSY: ServiceAnswer = { status: 503, body: { error: 'Too many concurrent activations' } }
const CLOSING: ServiceAnswer = { status: 503, body: { error: 'Service is closing' } }
const TOO_MANY_READERS: ServiceAnswer = { status: 503, body: { error: 'Too many readers' } }
const NOT_FOUND: ServiceAnswer = { status: 404, body: { error: 'Not found' } }

const METHODS = new Map<string, readonly string[]>([
  ['/activate', ['POST']],
  ['/state', ['GET', 'HEAD']],
  ['/events', ['GET']],
  ['/feed', ['GET', 'HEAD']],
  ['/health', ['GET', 'HEAD']],
  ['/faults', ['GET', 'PUT', 'DELETE']],
  ['/faults/actions', ['POST']],
])
/** The routes that are followed, where a service's faults show. */
const FOLLOWED: ReadonlySet<string> = new Set(['/state', '/feed', '/events'])

/** An answer of `GET /feed`, as it is about to be sent. */
export interface FeedAnswer {
  /** The value of its `Request-Id`. */
  id: string
  status: number
  document: object
  /** Whether no fault keeps back part of it. */
  isWhole: boolean
}

/** The source of a polled document, read for every request. */
export interface FeedSource {
  snapshot(): object
  /** Default: true. */
  readonly hasEtag?: boolean
}

export interface ServiceApiOptions {
  name: string
  activate: Activate
  /** Whether an activation must carry a color: a node shows that one, a leaf its own. */
  needsColor: boolean
  /** Maximum concurrent activations; beyond it they are refused with 503. */
  maxInFlight: number
  state: ServiceState
  feed: EventFeed
  /** Replaces the default of `/events`. Default: none. */
  own?: ServiceFeed | undefined
  /** The content of `/feed`. Default: nothing. */
  document?: FeedSource | undefined
  /** Called with every answer of `/feed`. */
  onAnswer?: ((answer: FeedAnswer) => void) | undefined
  faults: FaultHolder
  /** The random numbers for faults of its documents. */
  random: Random
  world: SimWorld
  closing: AbortSignal
}

/** The HTTP API of a simulated service. */
export class ServiceApi {
  readonly #options: ServiceApiOptions
  /** Requests held by a fault. */
  #held = 0
  readonly #connections = new Connections()

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

  get #feed(): ServiceFeed {
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

  /** Responds with a document or the event stream, unless a fault intervenes. */
  async #followed(pathname: string, request: Request, server: Server<undefined>): Promise<Response> {
    const { faults, document, state } = this.#options
    if (pathname === '/feed' && document === undefined) return toResponse(NOT_FOUND)
    const isReused = this.#connections.isReused(server.requestIP(request)?.port)
    const isHeld = ({ sse, http }: Faults) => Boolean(sse?.halfOpen || (isReused && http?.silentReuse))
    if (isHeld(faults.current) && !(await this.#hold(request, server, isHeld))) return reset()
    const redirected = redirectBy(request, faults.current.http ?? {})
    if (redirected !== undefined) return redirected
    const { status, json, body, ...sse } = faults.current.sse ?? {}
    if (status !== undefined) return statusInstead(status, sse)
    if (pathname === '/events') return json ? Response.json(state.snapshot()) : this.#events(request, server)
    if (body !== undefined) return bodyInstead(body)
    const source: FeedSource = pathname === '/feed' && document ? document : state
    const value = source.snapshot()
    const answer = source.hasEtag === false ? Response.json(value) : jsonWithEtag(request, value)
    const isWhole = request.method === 'HEAD' || answer.body === null || !slowsDocuments(sse)
    if (pathname === '/feed') this.#identify(answer, value, isWhole)
    return isWhole ? answer : this.#slowly(answer, request, server)
  }

  /** With the ID, what was answered can be compared with what a reader says it was. */
  #identify(answer: Response, document: object, isWhole: boolean): void {
    const id = crypto.randomUUID()
    answer.headers.set('Request-Id', id)
    this.#options.onAnswer?.({ id, status: answer.status, document, isWhole })
  }

  /**
   * Accepts a connection without answering.
   * @returns whether there was room
   */
  async #hold(
    request: Request,
    server: Server<undefined>,
    isHeld: (faults: Faults) => boolean,
  ): Promise<boolean> {
    const { faults, closing } = this.#options
    if (this.#held >= MAX_HELD) return false
    this.#held++
    server.timeout(request, NO_IDLE_LIMIT)
    await untilAnswered(faults, request.signal, closing, isHeld)
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

function toResponse({ status, body, headers = {}, reset: isReset }: ServiceAnswer): Response {
  return isReset ? reset() : Response.json(body, { status, headers })
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
