import { type Head, MalformedAnswer } from './head.ts'
import { WITHOUT_BODY } from './response.ts'

/** How the end of a body is found. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'until-close'

const UNTIL_CLOSE = { framing: 'until-close', length: Number.POSITIVE_INFINITY } as const

/**
 * How the body of a response is framed, and its length: zero if there is none, infinite until the connection closes.
 * @throws MalformedAnswer for lengths that contradict each other
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
    if (!/^\s*identity\s*$/i.test(coding)) return UNTIL_CLOSE
  }
  const said = (headers.get('content-length') ?? '').split(',').map((each) => each.trim())
  // What isn't a number says nothing, as browsers have it.
  const lengths = new Set(said.filter((each) => /^\d{1,15}$/.test(each)).map(Number))
  if (lengths.size > 1) throw new MalformedAnswer('it has several lengths')
  const [length] = lengths
  return length === undefined ? UNTIL_CLOSE : { framing: 'length', length }
}
