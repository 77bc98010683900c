// The topology page's texts, in the words that the server uses for the first page.
import { type Call, FIRST_ERROR_STATUS, type ServiceKind } from './graph.ts'

const KINDS: Record<ServiceKind, string> = {
  service: 'service',
  database: 'database',
  queue: 'queue',
  host: 'followed host',
  streams: 'streams',
  proxy: 'proxy',
  subscribers: 'subscribers',
  channel: 'channel',
  archive: 'archive',
  rest: 'all other services',
}

/** The kind of a node. */
export function kindWords(kind: ServiceKind): string {
  return KINDS[kind]
}

/** The outcome of a call, as one of its two services sees it. */
export function outcomeWords(
  { from, to, lastStatus = 0, lastDurationMs }: Call,
  id: string,
  nameOf: (id: string) => string,
): string {
  const other = to === id ? `from ${nameOf(from)}` : `to ${nameOf(to)}`
  const duration = lastDurationMs === undefined ? '' : ` in ${Math.round(lastDurationMs)} ms`
  return `${other}: ${lastStatus}${lastStatus >= FIRST_ERROR_STATUS ? ' failed' : ''}${duration}`
}
