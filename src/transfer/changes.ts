import { Problem } from '../errors.ts'
import { changedHeaders, hasSameOrigin } from '../streams/registry/changed-headers.ts'
import { unique } from '../streams/registry/from-registration.ts'
import { type Change, checkRegistration } from '../streams/registry/registration.ts'
import { type Fields, isFields, revealed } from './fields.ts'
import type { Known } from './identity.ts'

/** What a line wants to be different of a stream there is. */
export interface Changes {
  /** Those that differ; none may. */
  fields: Change
  /** Left out where it should stay as it is. */
  start?: boolean
  /** Whether it gets a twin. */
  twin: boolean
  /** Names of the headers that it loses, as its URL leads to another origin. */
  droppedHeaders: string[]
}

type Headers = Readonly<Record<string, string>>

/** What the caller of an import says of every line. */
interface Options {
  /** Added to the tags. */
  tag: string | undefined
  /** Values of headers that the file hides. */
  headers: Headers
}

/**
 * What a line changes of the stream that it names. Fields that it leaves out, and values that it hides, stay as they
 * are.
 * @returns undefined when the stream is as the line says
 * @throws Problem `invalid_field`, or `conflict` for what an import can't change
 */
export function changesTo(
  known: Known,
  given: Fields,
  { tag, headers: values }: Options,
): Changes | undefined {
  const { proxyKey, twinOf, desired, hasTwin } = known
  if (proxyKey !== null) throw new Problem('conflict', 'This is a stream of the proxy.', 'id')
  if (twinOf !== null)
    throw new Problem('conflict', 'This is a twin; its polled stream brings it along.', 'id')
  const { url, method } = known
  const { start, twin, ...fields } = checkRegistration({ url, method, ...said(known, given, values) }, true)
  if (twin === false && hasTwin) throw new Problem('conflict', 'It has a twin; remove that first.', 'twin')
  if (tag !== undefined) fields.tags = [...(fields.tags ?? known.tags), tag]
  const { headers = known.headers, droppedHeaders } = changedHeaders(known, fields)
  const different = differing(known, { ...fields, headers })
  // Values that are kept are looked up once more, where nobody can change them meanwhile.
  if (different.headers !== undefined) different.headers = fields.headers
  const changes: Changes = { fields: different, twin: twin === true && !hasTwin, droppedHeaders }
  if (start !== undefined && start !== (desired === 'running')) changes.start = start
  const isSame = Object.keys(changes.fields).length === 0 && !changes.twin && changes.start === undefined
  return isSame ? undefined : changes
}

/** The headers of a line, with the caller's values for those that it hides and that another origin is not sent. */
function said(known: Known, given: Fields, values: Headers): Fields {
  const { url, headers } = given
  const isElsewhere = typeof url === 'string' && URL.canParse(url) && !hasSameOrigin(known.url, url)
  return isElsewhere && isFields(headers) ? { ...given, headers: revealed(headers, values) } : given
}

function differing(known: Known, given: Change): Change {
  const normal: Change = {
    ...given,
    ...(given.url !== undefined && { url: new URL(given.url).href }),
    ...(given.tags && { tags: unique(given.tags) }),
    ...(given.notify && { notify: unique(given.notify) }),
  }
  const fields = Object.entries(normal).filter(
    ([field, value]) => !Bun.deepEquals(value || null, known[field as keyof Known] || null),
  )
  return Object.fromEntries(fields)
}
