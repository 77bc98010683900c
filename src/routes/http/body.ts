import type { Static, TSchema } from '@sinclair/typebox'
import { checked } from '../../schema.ts'
import { MAX_REQUEST_BYTES, parseJson, readText } from './input.ts'
import { type Part, part } from './part.ts'

/** A body, and its documentation. */
export interface Body<T> extends Part<T> {
  readonly requestBody: RequestBody
}

export interface RequestBody {
  required: boolean
  content: Readonly<Record<string, { schema: object; example?: unknown }>>
}

interface BodyOptions {
  /** Default: 1 MiB. */
  maxBytes?: number
  example?: unknown
}

interface Checked<T> {
  /** Also checks what the schema can't express. Default: the schema alone. @throws Problem `invalid_field` */
  check(value: unknown): T
}

/** A JSON body that fits a schema. */
export function body<T>(schema: TSchema, options: BodyOptions & Checked<T>): Body<T>
export function body<S extends TSchema>(schema: S, options?: BodyOptions): Body<Static<S>>
export function body(schema: TSchema, options: BodyOptions & Partial<Checked<unknown>> = {}): Body<unknown> {
  const { maxBytes = MAX_REQUEST_BYTES, example, check = (value) => checked(schema, value) } = options
  const read = async (request: Request) => check(parseJson(await readText(request, maxBytes)))
  return { ...part(read), requestBody: jsonContent(schema, { example }) }
}

/** The same, but optional. */
export function optionalBody<S extends TSchema>(
  schema: S,
  { maxBytes = MAX_REQUEST_BYTES, example }: BodyOptions = {},
): Body<Static<S> | undefined> {
  const read = async (request: Request) => {
    const text = await readText(request, maxBytes)
    return text.trim() === '' ? undefined : checked(schema, parseJson(text))
  }
  return { ...part(read), requestBody: jsonContent(schema, { isRequired: false, example }) }
}

/** A JSON body in OpenAPI. */
export function jsonContent(
  schema: object,
  { isRequired = true, example }: { isRequired?: boolean; example?: unknown },
): RequestBody {
  const content = { 'application/json': { schema, ...(example !== undefined && { example }) } }
  return { required: isRequired, content }
}
