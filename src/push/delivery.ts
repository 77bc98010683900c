import { parsePointer, select } from '../core/documents/pointer.ts'
import { factsOf, type PushSettings } from '../core/sets/push-schemes.ts'
import { Problem } from '../errors.ts'
import { storable } from '../streams/recording/entry.ts'
import type { Arrived } from './signature.ts'

/** Longest ID and name that are kept, in characters; a longer ID is none. */
const MAX_ID_CHARS = 512
const MAX_NAME_CHARS = 200

/** What was pushed, before it has a place in the log. */
export interface Delivery {
  streamId: string
  /** Its sender's ID; omitted if it has none: then it is never taken for another. */
  id?: string
  event?: string
  text: string
  bytes: number
  at: number
}

/** @throws Problem `unsupported_media_type` for a body that isn't text */
export function deliveryOf(streamId: string, settings: PushSettings, arrived: Arrived): Delivery {
  const { headers, body, at } = arrived
  const text = textOf(body)
  const { idHeader, idPointer, eventHeader, eventPointer } = factsOf(settings.scheme)
  const idFrom = settings.idFrom || idPointer || idHeader
  const eventFrom = eventHeader ?? eventPointer
  const isPointed = [idFrom, eventFrom].some((from) => from?.startsWith('/'))
  const json = isPointed ? parsed(text) : undefined
  const id = valueAt(idFrom, headers, json)
  const event = valueAt(eventFrom, headers, json)
  return {
    ...{ streamId, text, bytes: body.byteLength, at },
    ...(id !== undefined && id.length <= MAX_ID_CHARS && { id }),
    ...(event !== undefined && { event: event.slice(0, MAX_NAME_CHARS) }),
  }
}

/** A header, or, from a pointer, a text or number in the body. */
function valueAt(from: string | undefined, headers: Headers, json: unknown): string | undefined {
  if (from === undefined || from === '') return undefined
  const found = from.startsWith('/') ? select(json, parsePointer(from) ?? []) : headers.get(from)
  const text = typeof found === 'string' || typeof found === 'number' ? String(found) : ''
  // As the log stores it: otherwise it couldn't be found there again.
  return text === '' ? undefined : storable(text)
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new Problem('unsupported_media_type', "The body isn't text in UTF-8.")
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
