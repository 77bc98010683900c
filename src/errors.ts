/** Every code an API error can carry, with the HTTP status it is sent as. */
export const PROBLEMS = {
  bad_request: 400,
  invalid_json: 400,
  unauthorized: 401,
  forbidden_origin: 403,
  forbidden_scope: 403,
  not_found: 404,
  /** A service without fault injection. */
  no_laboratory: 404,
  method_not_allowed: 405,
  conflict: 409,
  body_too_large: 413,
  /** The result of a request would exceed a limit. */
  too_large: 413,
  unsupported_media_type: 415,
  invalid_field: 422,
  unreachable: 422,
  /** The destination isn't allowed. */
  not_allowed: 422,
  host_unknown: 422,
  too_many: 429,
  internal: 500,
  /** Stored data doesn't match its hash. */
  damaged: 500,
  upstream_failed: 502,
  unavailable: 503,
} as const
export type ProblemCode = keyof typeof PROBLEMS

/** When to try again what is unavailable, in seconds. */
const UNAVAILABLE_SECONDS = 5

/** An error meant for the caller: a code for programs, a sentence for people. Anything else thrown is a bug. */
export class Problem extends Error {
  override readonly name = 'Problem'
  constructor(
    readonly code: ProblemCode,
    /** What went wrong and how to fix it. Shown to the caller. */
    readonly detail: string,
    /** The invalid field of the request. */
    readonly field?: string,
  ) {
    super(detail)
  }

  get status(): number {
    return PROBLEMS[this.code]
  }

  /** When to try again, in seconds; undefined if that is useless or unknown. */
  get retryAfterSeconds(): number | undefined {
    return this.code === 'unavailable' ? UNAVAILABLE_SECONDS : undefined
  }

  /** The code in words. */
  get title(): string {
    return this.code.replaceAll('_', ' ')
  }

  /**
   * The response: problem details with a `code` and, if any, the `field`.
   * @see https://www.rfc-editor.org/rfc/rfc9457
   */
  toResponse(): Response {
    const { code, detail, field, status, title } = this
    return this.saysWhen(
      Response.json(
        { type: 'about:blank', title, status, code, detail, field },
        { status, headers: { 'Content-Type': 'application/problem+json' } },
      ),
    )
  }

  /** Adds to a response when to try again, if that is known. */
  saysWhen(response: Response): Response {
    if (this.retryAfterSeconds !== undefined) {
      response.headers.set('Retry-After', String(this.retryAfterSeconds))
    }
    return response
  }
}

/** A refusal of what would be granted later. */
export class RetryLater extends Problem {
  /** @param waitMs how long to wait, in milliseconds */
  constructor(
    detail: string,
    readonly waitMs: number,
  ) {
    super('too_many', detail)
  }

  override get retryAfterSeconds(): number {
    return Math.max(1, Math.ceil(this.waitMs / 1_000))
  }
}

/**
 * The cause of a failed statement, in one line: Drizzle's message includes the statement and its values, which are long
 * and may be secret.
 */
export function causeOf(error: unknown): string {
  const { cause, message } = error as Error
  return ((cause as Error | undefined)?.message ?? message).split('\n')[0] ?? ''
}
