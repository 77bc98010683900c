import { HIDDEN } from '../core/hidden.ts'
import { Problem } from '../errors.ts'
import { unique } from '../streams/from-registration.ts'
import { type Change, checkRegistration } from '../streams/registration.ts'
import { type Fields, isFields } from './fields.ts'
import type { Known } from './identity.ts'

/** What a line wants to be different of a stream there is. */
export interface Changes {
  /** Those that differ; none may. */
  fields: Change
  /** Left out where it should stay as it is. */
  start?: boolean
  /** Whether it gets a twin. */
  twin: boolean
}

/**
 * What a line changes of the stream that it names. Fields that it leaves out, and values that it hides, stay as they
 * are.
 * @param tag added to the tags
 * @returns undefined when the stream is as the line says
 * @throws Problem `invalid_field`, or `conflict` for what an import can't change
 */
export function changesTo(known: Known, given: Fields, tag: string | undefined): Changes | undefined {
  const { proxyKey, twinOf, desired, hasTwin } = known
  if (proxyKey !== null) throw new Problem('conflict', 'This is a stream of the proxy.', 'id')
  if (twinOf !== null)
    throw new Problem('conflict', 'This is a twin; its polled stream brings it along.', 'id')
  const { url, method } = known
  const said = checkRegistration({
    url,
    method,
    ...given,
    ...(isFields(given.headers) && kept(known, given.headers)),
  })
  const { start, twin, ...fields } = said
  if (twin === false && hasTwin) throw new Problem('conflict', 'It has a twin; remove that first.', 'twin')
  if (tag !== undefined) fields.tags = [...(fields.tags ?? known.tags), tag]
  const changes: Changes = { fields: differing(known, fields), twin: twin === true && !hasTwin }
  if (start !== undefined && start !== (desired === 'running')) changes.start = start
  const isSame = Object.keys(changes.fields).length === 0 && !changes.twin && changes.start === undefined
  return isSame ? undefined : changes
}

/** The headers of a line, with the stored values of those that it hides. */
function kept({ headers: stored }: Known, headers: Fields): { headers: Fields } {
  const revealed = Object.entries(headers).map(([name, value]) => {
    if (value !== HIDDEN) return [name, value]
    const same = Object.keys(stored).find((each) => each.toLowerCase() === name.toLowerCase())
    if (same !== undefined) return [name, stored[same]]
    throw new Problem(
      'invalid_field',
      `The stream has no header ${name} to keep; say its value.`,
      `headers.${name}`,
    )
  })
  return { headers: Object.fromEntries(revealed) }
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
