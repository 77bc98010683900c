import { type Head, MalformedAnswer } from './head.ts'

/** How the end of a body is found. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'until-close'

/** Statuses whose responses have no body. @see https://fetch.spec.whatwg.org/#null-body-status */
export const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304])

/**
 * How the body of a response is framed, and its length: zero if there is none, infinite until the connection closes.
 * @throws MalformedAnswer for a Content-Length that isn't one
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.3
 */
export function framingOf(
  { status, headers }: Head,
  isHeadOnly: boolean,
): { framing: BodyFraming; length: number } {
  if (isHeadOnly || WITHOUT_BODY.has(status)) return { framing: 'none', length: 0 }
  const coding = headers.get('transfer-encoding')
  if (coding !== null) {
    if (/(^|,)\s*chunked\s*$/i.test(coding)) return { framing: 'chunked', length: 0 }
    if (!/^\s*identity\s*$/i.test(coding)) return { framing: 'until-close', length: Number.POSITIVE_INFINITY }
  }
  const said = headers.get('content-length')
  if (said === null) return { framing: 'until-close', length: Number.POSITIVE_INFINITY }
  const lengths = new Set(said.split(',').map((each) => each.trim()))
  const [length = ''] = lengths
  if (lengths.size !== 1 || !/^\d{1,15}$/.test(length))
    throw new MalformedAnswer('its Content-Length is invalid')
  return { framing: 'length', length: Number(length) }
}
