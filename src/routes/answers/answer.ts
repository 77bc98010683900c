import { type TSchema, Type } from '@sinclair/typebox'

/**
 * What a route may answer where all goes well, by status: as OpenAPI has it. With a `default`, problems too are told in
 * a way of its own.
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
  /** Of a body that goes on: what each of its lines is, or the data of its events by their names. */
  'x-line'?: TSchema
  'x-events'?: Readonly<Record<string, TSchema>>
}

const STREAM = 'text/event-stream'

/** A JSON answer. */
export function json(schema: TSchema, status = 200): Answers {
  return { [status]: { description: descriptionOf(schema), ...contentOf(schema) } }
}

/** What was made, and where it is. */
export function created(schema: TSchema): Answers {
  const headers = { Location: { description: 'The path of what was made', schema: Type.String() } }
  return { 201: { ...contentOf(schema), description: 'It was made', headers } }
}

/** JSON, or for who asks for that a line for each of many. */
export function jsonOrLines(schema: TSchema, line: TSchema): Answers {
  const lines = { schema: Type.String({ description: 'NDJSON: a line each' }), 'x-line': line }
  const content = { ...contentOf(schema).content, 'application/x-ndjson': lines }
  return { 200: { description: descriptionOf(schema), content } }
}

/** A server-sent event stream: the data of its events, by their names; text where it isn't JSON. */
export function events(byName: Readonly<Record<string, TSchema>>): Answers {
  const schema = Type.String({ description: 'Server-sent events, and a comment as heartbeat every 15 s' })
  return {
    200: { description: 'Events, as they come', content: { [STREAM]: { schema, 'x-events': byName } } },
  }
}

/** Nothing to say. */
export const NOTHING: Answers = { 204: { description: 'Done' } }

function contentOf(schema: TSchema) {
  return { content: { 'application/json': { schema } } }
}

function descriptionOf({ $id }: TSchema): string {
  return $id === undefined ? 'As asked for' : `The ${$id.replace(/(?<=[a-z])[A-Z]/g, ' $&').toLowerCase()}`
}
