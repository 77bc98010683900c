// How the topology page says things, in the words that the server uses for the first page.
import { type Call, FIRST_ERROR_STATUS, type ServiceKind, type Verdict } from './graph.ts'

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
  rest: 'all the rest',
}
const MARKS: Record<Verdict, string> = {
  live: '●',
  quiet: '○',
  stalled: '◐',
  'backing-off': '↻',
  dead: '✕',
  stopped: '■',
}

/** What a node is. */
export function kindWords(kind: ServiceKind): string {
  return KINDS[kind]
}

/** A verdict by its mark and its word. */
export function verdictWords(verdict: Verdict): string {
  return `${MARKS[verdict]} ${verdict}`
}

/** How a call ended, as one of its two services sees it. */
export function outcomeWords(
  { from, to, lastStatus = 0, lastDurationMs }: Call,
  id: string,
  nameOf: (id: string) => string,
): string {
  const other = to === id ? `from ${nameOf(from)}` : `to ${nameOf(to)}`
  const duration = lastDurationMs === undefined ? '' : ` in ${Math.round(lastDurationMs)} ms`
  return `${other}: ${lastStatus}${lastStatus >= FIRST_ERROR_STATUS ? ' failed' : ''}${duration}`
}
