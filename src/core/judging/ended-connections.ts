import {
  CONNECTION_END,
  CONNECTION_ENDS,
  type ConnectionCounts,
  type EndedConnections,
} from '../sets/connection-ends.ts'
import { bytes } from '../units.ts'
import { span } from './status.ts'

/** In one line: "12 of 14 attempts; 9 closed by the upstream, 2 broke, 3 failed". */
export function connectionsText({ attempts, opened, ended, failed }: ConnectionCounts): string {
  const ends = CONNECTION_ENDS.filter((way) => (ended[way] ?? 0) > 0).map(
    (way) => `${(ended[way] ?? 0).toLocaleString('en')} ${CONNECTION_END[way].many}`,
  )
  const all = [...ends, ...(failed > 0 ? [`${failed.toLocaleString('en')} failed`] : [])]
  const tried = `${opened.toLocaleString('en')} of ${attempts.toLocaleString('en')} ${attempts === 1 ? 'attempt' : 'attempts'}`
  return all.length === 0 ? tried : `${tried}; ${all.join(', ')}`
}

/** What the data of an `end` entry says to people; undefined for data that isn't one. */
export function endSentence(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  const { count, by, lastedMs, events, receivedBytes } = data as Partial<EndedConnections>
  const isWhole = [count, lastedMs, events, receivedBytes].every((value) => typeof value === 'number')
  if (!isWhole || typeof by !== 'object' || by === null) return undefined
  return sentence(data as EndedConnections)
}

function sentence({ count, by, from, to, lastedMs, events, receivedBytes }: EndedConnections): string {
  const brought = `${events.toLocaleString('en')} ${events === 1 ? 'event' : 'events'}, ${bytes(receivedBytes)}`
  const ways = CONNECTION_ENDS.filter((way) => (by[way] ?? 0) > 0)
  const [only] = ways
  if (count === 1 && only !== undefined)
    return `${CONNECTION_END[only].one} after ${span(lastedMs)}: ${brought}.`
  const counts = ways.map((way) => `${(by[way] ?? 0).toLocaleString('en')} ${CONNECTION_END[way].many}`)
  const within = span(Math.max(0, Date.parse(to) - Date.parse(from)))
  return `${count.toLocaleString('en')} connections ended within ${within}: ${counts.join(', ')}. On average after ${span(lastedMs / count)}; ${brought} in all.`
}
