import type { Json } from '../../core/documents/document.ts'
import { omit, type Pointer, parsePointer, select } from '../../core/documents/pointer.ts'
import { TooMuch } from '../../core/documents/work.ts'
import { parseDocument } from '../content/content.ts'
import type { Stream } from '../ingest/run.ts'

/** The part of a body that a stream follows: its sub-document without the ignored paths. */
export interface Payload {
  pointer: Pointer
  ignored: readonly Pointer[]
}

/** The `error` entry for a body that can't be followed. */
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
 * The document in a body.
 * @returns `undefined` if the body has nothing at the pointer
 * @throws SyntaxError if it isn't JSON; also what {@link unreadable} handles
 */
export function readPayload(text: string, { pointer, ignored }: Payload): Json | undefined {
  const document = select(parseDocument(text).document, pointer) as Json | undefined
  if (document !== undefined) omit(document, ignored)
  return document
}

/** What is wrong with a body, from the error that reading or walking its document threw; other errors are rethrown. */
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
