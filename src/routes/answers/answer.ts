import { type TSchema, Type } from '@sinclair/typebox'

/**
 * A route's successful responses by status, as in OpenAPI. With a `default`, the route has its own error format too.
 */
export interface Answers {
  readonly [status: number]: Answer
  readonly default?: Answer
}

interface Answer {
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
export function json(schema: TSchema, status = 200): Answers {
  return { [status]: { description: descriptionOf(schema), ...contentOf(schema) } }
}

/** A created resource and its location. */
export function created(schema: TSchema): Answers {
  const headers = { Location: { description: 'Path of the created resource', schema: Type.String() } }
  return { 201: { ...contentOf(schema), description: 'Created', headers } }
}

/** JSON, or NDJSON if the client accepts it. */
export function jsonOrLines(schema: TSchema, line: TSchema): Answers {
  const lines = { schema: Type.String({ description: 'NDJSON, one object per line' }), 'x-line': line }
  const content = { ...contentOf(schema).content, 'application/x-ndjson': lines }
  return { 200: { description: descriptionOf(schema), content } }
}

/** A server-sent event stream: the schemas of the data by event name; text unless JSON. */
export function events(byName: Readonly<Record<string, TSchema>>): Answers {
  const schema = Type.String({ description: 'Server-sent events, with a heartbeat comment every 15 s' })
  return {
    200: { description: 'Live events', content: { [STREAM]: { schema, 'x-events': byName } } },
  }
}

/** No content. */
export const NOTHING: Answers = { 204: { description: 'No content' } }

function contentOf(schema: TSchema) {
  return { content: { 'application/json': { schema } } }
}

function descriptionOf({ $id, description }: TSchema): string {
  if (description !== undefined) return description
  return $id === undefined ? 'OK' : `The ${$id.replace(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase()}`
}
