import { Problem } from '../errors.ts'
import { changedHeaders, hasSameOrigin } from '../streams/registry/changed-headers.ts'
import { unique } from '../streams/registry/from-registration.ts'
import { changedPush } from '../streams/registry/push-settings.ts'
import { checkRegistration, type StreamChange } from '../streams/registry/registration.ts'
import { sameOptions } from '../streams/registry/request-options.ts'
import { isFields, type JsonObject, revealed } from './fields.ts'
import type { Known } from './identity.ts'

/** How a line differs from an existing stream. */
export interface StreamChanges {
  /** The fields that differ; may be empty. */
  fields: StreamChange
  /** Omitted if it stays the same. */
  start?: boolean
  /** Whether to add a twin. */
  twin: boolean
  /** Names of headers that are dropped, because the URL has another origin. */
  droppedHeaders: string[]
}

type Headers = Readonly<Record<string, string>>

/** Options of the import that apply to every line. */
interface Options {
  /** Added to the tags. */
  tag: string | undefined
  /** Values of headers that the file hides. */
  headers: Headers
}

/**
 * The changes that a line makes to the stream it names. Omitted fields and hidden values stay as they are.
 * @returns undefined if nothing differs
 * @throws Problem `invalid_field`, or `conflict` for what an import can't change
 */
export function changesTo(
  known: Known,
  given: JsonObject,
  { tag, headers: values }: Options,
): StreamChanges | undefined {
  const { proxyKey, twinOf, desired, hasTwin } = known
  if (proxyKey !== null) throw new Problem('conflict', 'This stream was created by the proxy.', 'id')
  if (twinOf !== null)
    throw new Problem('conflict', 'This stream is a twin. Import its polled stream instead.', 'id')
  const { url, method } = known
  const { start, twin, ...fields } = checkRegistration({ url, method, ...said(known, given, values) }, true)
  if (twin === false && hasTwin)
    throw new Problem('conflict', 'The stream has a twin. Remove the twin first.', 'twin')
  if (fields.push) fields.push = changedPush(known.push, fields.push)
  if (tag !== undefined) fields.tags = [...(fields.tags ?? known.tags), tag]
  const { headers = known.headers, messages = known.messages, droppedHeaders } = changedHeaders(known, fields)
  const different = differing(known, { ...fields, headers, messages })
  // Kept values are read again in the transaction, where nobody can change them.
  if (different.headers !== undefined) different.headers = fields.headers
  if (different.messages !== undefined) different.messages = fields.messages
  const changes: StreamChanges = { fields: different, twin: twin === true && !hasTwin, droppedHeaders }
  if (start !== undefined && start !== (desired === 'running')) changes.start = start
  const isSame = Object.keys(changes.fields).length === 0 && !changes.twin && changes.start === undefined
  return isSame ? undefined : changes
}

/** The headers of a line, with the caller's values for hidden ones that another origin isn't sent. */
function said(known: Known, given: JsonObject, values: Headers): JsonObject {
  const { url, headers } = given
  const isElsewhere = typeof url === 'string' && URL.canParse(url) && !hasSameOrigin(known.url, url)
  return isElsewhere && isFields(headers) ? { ...given, headers: revealed(headers, values) } : given
}

function differing(known: Known, given: StreamChange): StreamChange {
  const normal: StreamChange = {
    ...given,
    ...(given.url !== undefined && { url: new URL(given.url).href }),
    ...(given.tags && { tags: unique(given.tags) }),
    ...(given.notify && { notify: unique(given.notify) }),
  }
  const now: Record<string, unknown> = { ...known, ...sameOptions(known, given) }
  const fields = Object.entries(normal).filter(
    ([field, value]) => !Bun.deepEquals(value || null, now[field] || null),
  )
  return Object.fromEntries(fields)
}
