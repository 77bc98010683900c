import type { Message, Severity, StreamLink } from '../channels/message.ts'
import { span } from '../core/judging/verdict.ts'
import { severityOf } from './causes.ts'

/** What people are told of incidents. */
export type Telling = 'opened' | 'reminded' | 'resolved'

/** An incident as messages speak of it. */
export interface ToldIncident {
  id: string
  cause: string
  title: string
  detail: string
  affected: number
  openedAt: Date
  resolvedAt: Date | null
  streams: readonly StreamLink[]
}

/** Incidents named in a message; the others are counted. */
const NAMED = 10
/** What a webhook is told of each, for as many. */
const LISTED = 50
const WORST_FIRST: readonly Severity[] = ['critical', 'warning', 'info']

/** One message for everything that one channel is to be told at once. */
export function messageOf(
  telling: Telling,
  list: readonly ToldIncident[],
  now: number,
  url: string,
): Message {
  const incidents = [...list].sort(
    (a, b) =>
      rank(a) - rank(b) || a.openedAt.getTime() - b.openedAt.getTime() || a.title.localeCompare(b.title),
  )
  const [first] = incidents as [ToldIncident]
  const isOne = incidents.length === 1
  const isChange = telling === 'opened' && incidents.every(({ cause }) => cause === 'changed')
  const lines = incidents.slice(0, NAMED).map((incident) => lineOf(telling, incident, now, isOne))
  if (incidents.length > NAMED) lines.push(`and ${incidents.length - NAMED} more`)
  const streams = new Map(
    incidents.flatMap((incident) => incident.streams.map((stream) => [stream.id, stream])),
  )
  return {
    type: isChange ? 'stream.changed' : `incident.${telling}`,
    title: titleOf(telling, incidents, isChange),
    text: lines.join('\n'),
    at: new Date(telling === 'opened' ? first.openedAt : now),
    severity: telling === 'resolved' ? 'resolved' : severityOf(first.cause),
    url: isOne ? `${url}/incidents/${first.id}` : `${url}/incidents`,
    ...(isOne && { incidentId: first.id }),
    streams: [...streams.values()],
    streamCount: Math.max(
      streams.size,
      incidents.reduce((sum, { affected }) => sum + affected, 0),
    ),
    data: {
      incidents: incidents.slice(0, LISTED).map(({ id, cause, title, affected, openedAt }) => ({
        id,
        cause,
        title: title.slice(0, 200),
        affected,
        openedAt: openedAt.toISOString(),
      })),
    },
  }
}

function titleOf(telling: Telling, incidents: readonly ToldIncident[], isChange: boolean): string {
  const count = incidents.length
  const title = incidents[0]?.title ?? ''
  if (telling === 'resolved') return count === 1 ? `Over: ${title}` : `${count} incidents are over`
  if (telling === 'reminded') return count === 1 ? `Still: ${title}` : `${count} incidents are still open`
  if (isChange) return count === 1 ? title : `${count} streams have changed`
  return count === 1 ? title : `${count} incidents: ${title}, and more`
}

function lineOf(telling: Telling, incident: ToldIncident, now: number, isOne: boolean): string {
  const { title, detail, openedAt, resolvedAt } = incident
  const lasted = span(Math.max(0, (resolvedAt?.getTime() ?? now) - openedAt.getTime()))
  if (telling === 'resolved') return isOne ? `It lasted ${lasted}.` : `${title}: over after ${lasted}.`
  const since = telling === 'reminded' ? ` Open for ${lasted}.` : ''
  return isOne ? `${detail}${since}` : `${title}. ${detail}${since}`
}

function rank({ cause }: ToldIncident): number {
  return WORST_FIRST.indexOf(severityOf(cause))
}
