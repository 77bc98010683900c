import { type Static, Type } from '@sinclair/typebox'
import { Errors, type ValueError } from '@sinclair/typebox/errors'

/** Longest time that anything is held up, in milliseconds: ten minutes. */
const MAX_WAIT_MS = 600_000
/** Largest answer that is asked for. */
const MAX_PAYLOAD_BYTES = 10_485_760
/** Kinds of failure of one service. */
const MAX_CODES = 20
/** Longest `Retry-After`, in seconds: an hour. */
const MAX_RETRY_AFTER_SECONDS = 3_600
/** What is told of one refused input; the rest of it is as wrong. */
const MAX_PROBLEMS = 20

const strict = { additionalProperties: false }
const waitMs = Type.Number({ minimum: 0, maximum: MAX_WAIT_MS })
const share = Type.Number({ minimum: 0, maximum: 1 })
const on = Type.Boolean()
const retryAfterSeconds = Type.Integer({ minimum: 0, maximum: MAX_RETRY_AFTER_SECONDS })

/** Shares are of frames, each drawn for itself. */
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
    /** 200 is what the stream answers anyway. */
    status: Type.Optional(Type.Integer({ minimum: 201, maximum: 599 })),
    /** Of a `status` 429 or 503. Default {@link RETRY_AFTER_SECONDS}. */
    retryAfterSeconds: Type.Optional(retryAfterSeconds),
    json: Type.Optional(on),
  },
  strict,
)

/** What a service does wrong: the body of `PUT /faults`. Everything left out is as the graph has it. */
export const FaultsSchema = Type.Object(
  {
    latencyMs: Type.Optional(Type.Object({ p50: waitMs, p90: waitMs, p99: waitMs }, strict)),
    errorRate: Type.Optional(share),
    /** Weights, by status. */
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
  },
  strict,
)
export type Faults = Static<typeof FaultsSchema>
export type SseFaults = Static<typeof SseFaultsSchema>

/** What a 429 or 503 asks for when nothing else is set, in seconds. */
export const RETRY_AFTER_SECONDS = 1

/** One thing that is wrong with an input. */
export interface FaultProblem {
  /** The path of the field, e.g. `sse.drop`; empty is the whole. */
  field: string
  /** A sentence for people, that names the field. */
  detail: string
}

/** Reads faults, or says all that is wrong with them, up to a bound. */
export function readFaults(value: unknown): { faults: Faults } | { problems: FaultProblem[] } {
  const byField = new Map<string, FaultProblem>()
  for (const error of Errors(FaultsSchema, value)) {
    if (byField.size === MAX_PROBLEMS) break
    const problem = describe(error)
    // A wrong field is told once, by the first thing that is wrong with it.
    if (!byField.has(problem.field)) byField.set(problem.field, problem)
  }
  if (byField.size > 0) return { problems: [...byField.values()] }
  const faults = value as Faults
  const { p50 = 0, p90 = 0, p99 = 0 } = faults.latencyMs ?? {}
  if (p50 <= p90 && p90 <= p99) return { faults }
  return { problems: [{ field: 'latencyMs', detail: 'latencyMs: expected p50 ≤ p90 ≤ p99.' }] }
}

/** The faults of one service while it runs. */
export class FaultHolder {
  readonly #initial: Faults
  readonly #listeners = new Set<() => void>()
  #current: Faults

  /** @param initial what it starts with, and goes back to when the faults are taken away */
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

  /** Is called after every change. @returns ends that */
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
      detail: isStatus ? `${field}: expected a status of 400 to 599.` : `There is no fault ${field}.`,
    }
  }
  if (field === '') return { field, detail: 'Expected a JSON object.' }
  return { field, detail: `${field}: ${message.charAt(0).toLowerCase()}${message.slice(1)}.` }
}
