import { HIDDEN } from '../../core/hidden.ts'
import { Problem } from '../../errors.ts'
import type { Stream } from '../ingest/run.ts'
import { changedMessages } from './messages.ts'
import type { StreamChange } from './registration.ts'

export interface ChangedHeaders {
  /** The new headers; omitted if unchanged. */
  headers?: Record<string, string>
  /** The new messages; omitted if unchanged. */
  messages?: Stream['messages']
  /** Names of headers that are no longer sent, because the URL leads to another origin. */
  droppedHeaders: string[]
}

/**
 * The effect of a change on a stream's headers and messages. Their values were given for one origin, and, as with redirects,
 * aren't sent to another: a URL of another origin drops them unless the same change sets their values. Within the
 * origin, the placeholder of a hidden value keeps that value.
 * @throws Problem `invalid_field` for a placeholder of a header that the stream doesn't have
 */
export function changedHeaders(
  stream: Pick<Stream, 'url' | 'headers'> & Partial<Pick<Stream, 'messages'>>,
  change: Pick<StreamChange, 'url' | 'headers' | 'messages'>,
): ChangedHeaders {
  const isElsewhere = !hasSameOrigin(stream.url, change.url ?? stream.url)
  const { dropped, ...messages } = changedMessages(stream.messages ?? null, change.messages, isElsewhere)
  const { droppedHeaders, ...headers } = headersAfter(stream, change, isElsewhere)
  return { ...headers, ...messages, droppedHeaders: [...droppedHeaders, ...dropped] }
}

function headersAfter(
  { headers: stored }: Pick<Stream, 'headers'>,
  change: Pick<StreamChange, 'headers'>,
  isElsewhere: boolean,
): ChangedHeaders {
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

/** Whether two URLs have the same origin: scheme, host and port. */
export function hasSameOrigin(a: string, b: string): boolean {
  return new URL(a).origin === new URL(b).origin
}

function nothingToKeep(name: string): Problem {
  const detail = `The stream has no stored value for header ${name}. Set its value.`
  return new Problem('invalid_field', detail, `headers.${name}`)
}
