import { type Static, Type } from '@sinclair/typebox'
import { Errors, type ValueError } from '@sinclair/typebox/errors'

/** Longest delay, in milliseconds: ten minutes. */
const MAX_WAIT_MS = 600_000
/** Largest payload of a response. */
const MAX_PAYLOAD_BYTES = 10_485_760
/** Maximum error codes of one service. */
const MAX_CODES = 20
/** Longest `Retry-After`, in seconds: an hour. */
const MAX_RETRY_AFTER_SECONDS = 3_600
/** Problems reported for one invalid input. */
const MAX_PROBLEMS = 20

/** A web page, half a document, an image, nothing, or 204. */
export const BODY_FAULTS = ['page', 'half', 'image', 'empty', 'none'] as const
export type BodyFault = (typeof BODY_FAULTS)[number]

const strict = { additionalProperties: false }
const waitMs = Type.Number({ minimum: 0, maximum: MAX_WAIT_MS })
const share = Type.Number({ minimum: 0, maximum: 1 })
const on = Type.Boolean()
const retryAfterSeconds = Type.Integer({ minimum: 0, maximum: MAX_RETRY_AFTER_SECONDS })

/** Probabilities apply to frames, each drawn separately. */
const SseFaultsSchema = Type.Object(
  {
    stall: Type.Optional(on),
    halfOpen: Type.Optional(on),
    duplicate: Type.Optional(share),
    reorder: Type.Optional(share),
    drop: Type.Optional(share),
    truncate: Type.Optional(share),
    bufferMs: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_WAIT_MS })),
    slowDripBytesPerSecond: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    /** 200 is the normal status. */
    status: Type.Optional(Type.Integer({ minimum: 201, maximum: 599 })),
    /** For a `status` of 429 or 503. Default {@link RETRY_AFTER_SECONDS}. */
    retryAfterSeconds: Type.Optional(retryAfterSeconds),
    json: Type.Optional(on),
    /** What is answered instead of a document. */
    body: Type.Optional(Type.Union(BODY_FAULTS.map((body) => Type.Literal(body)))),
  },
  strict,
)

/** What a client of HTTP has to cope with, for documents and event streams. */
const HttpFaultsSchema = Type.Object(
  {
    /** A redirect to the same path, until the request has the cookie that it sets. */
    cookieGate: Type.Optional(on),
    /** A redirect whose `Location` has bytes outside ASCII. */
    rawLocation: Type.Optional(Type.Union([Type.Literal('utf8'), Type.Literal('latin1')])),
    /** Requests on a connection that was used before aren't answered, as after a NAT has forgotten it. */
    silentReuse: Type.Optional(on),
  },
  strict,
)

/** The faults of a service: the body of `PUT /faults`. Omitted fields keep the value from the graph. */
export const FaultsSchema = Type.Object(
  {
    latencyMs: Type.Optional(Type.Object({ p50: waitMs, p90: waitMs, p99: waitMs }, strict)),
    errorRate: Type.Optional(share),
    /** Weights by status. */
    errorCodes: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[45]\\d\\d$' }),
        Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 }),
        { ...strict, minProperties: 1, maxProperties: MAX_CODES },
      ),
    ),
    rateLimit: Type.Optional(
      Type.Object(
        {
          perSecond: Type.Number({ exclusiveMinimum: 0, maximum: 10_000 }),
          burst: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
          retryAfterSeconds: Type.Optional(retryAfterSeconds),
        },
        strict,
      ),
    ),
    payloadBytes: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_PAYLOAD_BYTES })),
    reset: Type.Optional(on),
    sse: Type.Optional(SseFaultsSchema),
    http: Type.Optional(HttpFaultsSchema),
  },
  strict,
)
export type Faults = Static<typeof FaultsSchema>
export type HttpFaults = Static<typeof HttpFaultsSchema>
export type SseFaults = Static<typeof SseFaultsSchema>

/** `Retry-After` of a 429 or 503 if nothing else is set, in seconds. */
export const RETRY_AFTER_SECONDS = 1

/** One problem of an input. */
export interface FaultProblem {
  /** Path of the field, such as `sse.drop`; empty for the whole input. */
  field: string
  /** A sentence for people that names the field. */
  detail: string
}

/** Parses faults, or returns their problems, up to a bound. */
export function readFaults(value: unknown): { faults: Faults } | { problems: FaultProblem[] } {
  const byField = new Map<string, FaultProblem>()
  for (const error of Errors(FaultsSchema, value)) {
    if (byField.size === MAX_PROBLEMS) break
    const problem = describe(error)
    // One problem per field: the first one.
    if (!byField.has(problem.field)) byField.set(problem.field, problem)
  }
  if (byField.size > 0) return { problems: [...byField.values()] }
  const faults = value as Faults
  const { p50 = 0, p90 = 0, p99 = 0 } = faults.latencyMs ?? {}
  if (p50 <= p90 && p90 <= p99) return { faults }
  return { problems: [{ field: 'latencyMs', detail: 'latencyMs: expected p50 ≤ p90 ≤ p99.' }] }
}

/** The current faults of one service. */
export class FaultHolder {
  readonly #initial: Faults
  readonly #listeners = new Set<() => void>()
  #current: Faults

  /** @param initial the faults from the graph, restored when the others are cleared */
  constructor(initial: Faults = {}) {
    this.#initial = initial
    this.#current = initial
  }

  get current(): Faults {
    return this.#current
  }

  /** Replaces all of them. */
  set(faults: Faults): void {
    this.#current = faults
    for (const listener of this.#listeners) listener()
  }

  clear(): void {
    this.set(this.#initial)
  }

  /**
   * Calls a listener after every change.
   * @returns unsubscribes it
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

function describe({ path, message }: ValueError): FaultProblem {
  const field = path.slice(1, 201).replaceAll('/', '.')
  if (message === 'Unexpected property') {
    const isStatus = field.startsWith('errorCodes.')
    return {
      field,
      detail: isStatus ? `${field}: expected a status of 400 to 599.` : `Unknown fault ${field}.`,
    }
  }
  if (field === '') return { field, detail: 'Expected a JSON object.' }
  return { field, detail: `${field}: ${message.charAt(0).toLowerCase()}${message.slice(1)}.` }
}
