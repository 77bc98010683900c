import { nulIn } from '../../core/documents/nul.ts'
import { instantProblem, parseInstant } from '../../core/time.ts'
import { Problem } from '../../errors.ts'

/** Maximum size of a request body, in bytes. */
export const MAX_REQUEST_BYTES = 1_048_576

/**
 * Reads a request's body as JSON, up to `maxBytes`.
 * @throws Problem `body_too_large`, `bad_request`, `invalid_json`
 */
export async function readJson(request: Request, maxBytes = MAX_REQUEST_BYTES): Promise<unknown> {
  return parseJson(await readText(request, maxBytes))
}

/** The value of a JSON text. @throws Problem `invalid_json`, `invalid_field` for a NUL character */
export function parseJson(text: string): unknown {
  const value = parsed(text)
  // JSON has no other way to write NUL.
  const nul = text.includes('\\u0000') ? nulIn(value) : undefined
  if (nul !== undefined) throw holdsNul(nul)
  return value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem('invalid_json', `The body isn't valid JSON: ${(error as Error).message}.`)
  }
}

/** Reads a form body: the last value of each field. */
export async function readForm(
  request: Request,
  maxBytes = MAX_REQUEST_BYTES,
): Promise<Record<string, string>> {
  const form = Object.fromEntries(new URLSearchParams(await readText(request, maxBytes)))
  const nul = nulIn(form)
  if (nul !== undefined) throw holdsNul(nul)
  return form
}

/** Reads a body as text, up to `maxBytes`, without a byte order mark. @throws Problem `body_too_large` */
export async function readText(request: Request, maxBytes: number): Promise<string> {
  return new TextDecoder().decode(await readBytes(request, maxBytes))
}

/** Reads a body as bytes, up to `maxBytes`. @throws Problem `body_too_large`, `bad_request` if it's incomplete */
export async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new Problem('body_too_large', `The body exceeds ${maxBytes} bytes.`)
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of arriving(request.body)) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A body as it arrives. An incomplete or slow body is the client's fault, not a bug. */
async function* arriving(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body as unknown as AsyncIterable<Uint8Array>
  } catch {
    throw new Problem('bad_request', 'The body was incomplete or arrived too slowly.')
  }
}

/** The query parameters of a request; unknown ones are rejected rather than ignored. */
export function query<Name extends string>(
  request: Request,
  ...names: Name[]
): Partial<Record<Name, string>> {
  const values: Partial<Record<string, string>> = {}
  for (const [name, value] of new URL(request.url).searchParams) {
    if (!names.includes(name as Name)) throw invalid(name, `Unknown parameter: ${name.slice(0, 64)}.`)
    if (nulIn(value) !== undefined) throw holdsNul(name)
    if (value !== '') values[name] = value
  }
  return values as Partial<Record<Name, string>>
}

export function integerOf(
  name: string,
  text: string | undefined,
  min: number,
  max: number,
): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw invalid(name, `${name}: expected a whole number from ${min} to ${max}.`)
}

/** The range of times that Postgres and people both read without trouble; others are clamped. */
const EARLIEST = 0
const LATEST = Date.parse('9999-01-01T00:00:00Z')

export function dateOf(name: string, text: string): Date
export function dateOf(name: string, text: string | undefined): Date | undefined
export function dateOf(name: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const date = parseInstant(text)
  if (date === undefined) throw invalid(name, instantProblem(name, text))
  return new Date(Math.min(Math.max(date.getTime(), EARLIEST), LATEST))
}

export function oneOf<T extends string>(
  name: string,
  text: string | undefined,
  choices: readonly T[],
): T | undefined {
  if (text === undefined) return undefined
  if (choices.includes(text as T)) return text as T
  throw invalid(name, `${name}: expected ${choices.join(' or ')}.`)
}

export function holdsNul(at: string): Problem {
  return invalid(at, `${at.slice(0, 200) || 'The body'}: NUL characters aren't allowed.`)
}

export function invalid(field: string, detail: string): Problem {
  return new Problem('invalid_field', detail, field.slice(0, 64))
}
