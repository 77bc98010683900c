import { type Static, type TSchema, Type } from '@sinclair/typebox'

/**
 * One of a route's successful responses: its type for the handler and the client, and its documentation. A Standard
 * Schema that takes whatever the handler returns: the types have checked it.
 */
export interface Answer<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: 'weir'
    validate(value: unknown): { value: T }
    readonly types?: { readonly input: T; readonly output: T }
  }
  readonly documented: Documented
}

/** A response as in OpenAPI. */
export interface Documented {
  description: string
  headers?: Readonly<Record<string, { description: string; schema: TSchema }>>
  content?: Readonly<Record<string, Content>>
}

interface Content {
  schema: TSchema
  /** For a streamed body: the schema of each line, or of the data of each event by name. */
  'x-line'?: TSchema
  'x-events'?: Readonly<Record<string, TSchema>>
}

const STREAM = 'text/event-stream'

/** A JSON response. */
export function json<S extends TSchema, Status extends number = 200>(
  schema: S,
  status = 200 as Status,
): Record<Status, Answer<Static<S>>> {
  const answered = answer<Static<S>>({ description: descriptionOf(schema), ...contentOf(schema) })
  return { [status]: answered } as Record<Status, Answer<Static<S>>>
}

/** A created resource and its location. */
export function created<S extends TSchema>(schema: S): { 201: Answer<Static<S>> } {
  const headers = { Location: { description: 'Path of the created resource', schema: Type.String() } }
  return { 201: answer({ ...contentOf(schema), description: 'Created', headers }) }
}

/** JSON, or NDJSON if the client accepts it. */
export function jsonOrLines<S extends TSchema>(schema: S, line: TSchema): { 200: Answer<Static<S>> } {
  const lines = { schema: Type.String({ description: 'NDJSON, one object per line' }), 'x-line': line }
  const content = { ...contentOf(schema).content, 'application/x-ndjson': lines }
  return { 200: answer({ description: descriptionOf(schema), content }) }
}

/** A server-sent event stream: the schemas of the data by event name; text unless JSON. */
export function events(byName: Readonly<Record<string, TSchema>>): { 200: Answer<unknown> } {
  const schema = Type.String({ description: 'Server-sent events, with a heartbeat comment every 15 s' })
  return {
    200: answer({ description: 'Live events', content: { [STREAM]: { schema, 'x-events': byName } } }),
  }
}

/** No content. */
export const NOTHING = { 204: answer<undefined>({ description: 'No content' }) }

/** Any other response. */
export function answer<T>(documented: Documented): Answer<T> {
  const validate = (value: unknown) => ({ value: value as T })
  return { '~standard': { version: 1, vendor: 'weir', validate }, documented }
}

function contentOf(schema: TSchema) {
  return { content: { 'application/json': { schema } } }
}

function descriptionOf({ $id, description }: TSchema): string {
  if (description !== undefined) return description
  return $id === undefined ? 'OK' : `The ${$id.replace(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase()}`
}
