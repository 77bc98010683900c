import { HIDDEN } from '../../core/hidden.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../ingest/run.ts'
import type { Change } from './registration.ts'

export interface ChangedHeaders {
  /** What is sent from now on; left out where that stays as it is. */
  headers?: Record<string, string>
  /** Names of the headers that aren't sent any more because the URL leads to another origin. */
  droppedHeaders: string[]
}

/**
 * What a change makes of a stream's headers. Their values were given for one origin, and another isn't sent them, as
 * with redirects: with a URL of another origin they are dropped unless the change itself says their values. Within the
 * origin, a value that stands for the hidden one keeps that.
 * @throws Problem `invalid_field` for a hidden value of a header that the stream doesn't have
 */
export function changedHeaders(
  { url, headers: stored }: Pick<Stream, 'url' | 'headers'>,
  change: Pick<Change, 'url' | 'headers'>,
): ChangedHeaders {
  const isElsewhere = !hasSameOrigin(url, change.url ?? url)
  if (change.headers === undefined) {
    return isElsewhere ? { headers: {}, droppedHeaders: Object.keys(stored).sort() } : { droppedHeaders: [] }
  }
  const values = new Map(Object.entries(stored).map(([name, value]) => [name.toLowerCase(), value]))
  const kept = Object.entries(change.headers).flatMap(([name, value]): [string, string][] => {
    if (value !== HIDDEN) return [[name, value]]
    const same = values.get(name.toLowerCase())
    if (same === undefined) throw nothingToKeep(name)
    return isElsewhere ? [] : [[name, same]]
  })
  const names = new Set(kept.map(([name]) => name.toLowerCase()))
  const gone = Object.keys(stored).filter((name) => !names.has(name.toLowerCase()))
  return { headers: Object.fromEntries(kept), droppedHeaders: isElsewhere ? gone.sort() : [] }
}

/** Whether two URLs are of one origin: the same scheme, host and port. */
export function hasSameOrigin(a: string, b: string): boolean {
  return new URL(a).origin === new URL(b).origin
}

function nothingToKeep(name: string): Problem {
  const detail = `The stream has no header ${name} to keep; say its value.`
  return new Problem('invalid_field', detail, `headers.${name}`)
}
