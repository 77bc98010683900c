import type { Json } from '../../core/documents/document.ts'
import { parseJson } from '../../core/documents/json.ts'
import { omit, type Pointer, parsePointer, select } from '../../core/documents/pointer.ts'
import { TooMuch } from '../../core/documents/work.ts'
import type { Stream } from '../ingest/run.ts'

/** The part of a body that a stream follows: its sub-document, without the paths to ignore. */
export interface Payload {
  pointer: Pointer
  ignored: readonly Pointer[]
}

/** A body that can't be followed: what an `error` entry says of it. */
export interface Unreadable {
  code: 'bad_json' | 'pointer_missing'
  message: string
}

export function payloadOf({
  payloadPointer,
  ignorePaths,
}: Pick<Stream, 'payloadPointer' | 'ignorePaths'>): Payload {
  const ignored = ignorePaths.map(parsePointer).filter((path): path is Pointer => path !== undefined)
  return { pointer: parsePointer(payloadPointer) ?? [], ignored }
}

/**
 * The document that a body is followed for.
 * @returns `undefined` where the body has nothing at the pointer
 * @throws SyntaxError for what isn't JSON; whatever {@link unreadable} knows
 */
export function readPayload(text: string, { pointer, ignored }: Payload): Json | undefined {
  const document = select(parseJson(text), pointer) as Json | undefined
  if (document !== undefined) omit(document, ignored)
  return document
}

/** What is wrong with a body, by what reading or walking its document threw; others' errors are thrown on. */
export function unreadable(error: unknown): Unreadable {
  if (error instanceof SyntaxError) return { code: 'bad_json', message: "The body isn't complete JSON." }
  const isDeep = error instanceof RangeError || (error instanceof TooMuch && error.what === 'levels')
  if (isDeep) return { code: 'bad_json', message: 'The document is nested too deeply to be followed.' }
  throw error
}

export function nothingAt({ pointer }: Payload): Unreadable {
  const path = pointer.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  return { code: 'pointer_missing', message: `The document has nothing at ${path}.` }
}
