/** Weir rejected a request, or failed. */
export class WeirError extends Error {
  override readonly name = 'WeirError'
  constructor(
    /** One of Weir's problem codes; `not_weir` for a response from something else. */
    readonly code: string,
    /** A sentence for people. */
    readonly detail: string,
    /** HTTP status. */
    readonly status: number,
    /** The invalid field of the request. */
    readonly field?: string,
  ) {
    super(detail)
  }
}

/** There was no response, or an incomplete one. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
  readonly code = 'unreachable_weir'
  constructor(url: string, cause: unknown) {
    super(`Can't reach Weir at ${url}: ${reasonOf(cause)}.`, { cause })
  }
}

/** The error for a response other than 2xx; `body` is its parsed JSON, or whatever arrived instead. */
export function explainFailure(url: string, response: Response, body: unknown): WeirError {
  const { code, detail, field } = isObject(body) ? body : {}
  if (typeof code === 'string' && typeof detail === 'string') {
    return new WeirError(code, detail, response.status, typeof field === 'string' ? field : undefined)
  }
  const words = `The server at ${url} isn't Weir: it responded with ${response.status}.`
  return new WeirError('not_weir', words, response.status)
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ConnectionRefused: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'unknown host',
  FailedToOpenSocket: 'unknown or unreachable host',
  TimeoutError: 'timed out',
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'no response'
  const { code } = cause as { code?: unknown }
  const known = REASONS[String(code)] ?? REASONS[cause.name]
  return (
    known ??
    (cause instanceof SyntaxError ? "the response is incomplete or isn't JSON" : firstLine(cause.message))
  )
}

function firstLine(text: string): string {
  return text.split('\n')[0]?.replace(/\.$/, '') ?? ''
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
