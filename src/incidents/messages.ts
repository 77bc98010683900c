import type { Message, Severity, StreamLink } from '../channels/message.ts'
import { span } from '../core/judging/status.ts'
import { utcMinute } from '../core/units.ts'
import { severityOf } from './causes.ts'
import { isOutage, periodJson, periodOf, periodText, type Timed } from './period.ts'

/** Occasions for a message about incidents. */
export type Telling = 'opened' | 'reminded' | 'resolved'

/** An incident as messages describe it. */
export interface ToldIncident extends Timed {
  id: string
  title: string
  detail: string
  affected: number
  streamId: string | null
  host: string | null
  streams: readonly StreamLink[]
}

/** Incidents named in a message; the others are counted. */
const NAMED = 10
/** Incidents that a webhook gets as data. */
const LISTED = 50
const WORST_FIRST: readonly Severity[] = ['critical', 'warning', 'info']

/** One message for everything that is due for a channel at once. */
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
      incidents: incidents.slice(0, LISTED).map((incident) => dataOf(incident, now)),
    },
  }
}

function dataOf(incident: ToldIncident, now: number) {
  const { id, cause, title, affected, openedAt } = incident
  return {
    id,
    cause,
    title: title.slice(0, 200),
    affected,
    openedAt: openedAt.toISOString(),
    ...periodJson(incident, now),
  }
}

function titleOf(telling: Telling, incidents: readonly ToldIncident[], isChange: boolean): string {
  const count = incidents.length
  const [first] = incidents as [ToldIncident]
  if (telling === 'resolved') return count === 1 ? recoveryTitle(first) : `${count} incidents resolved`
  if (telling === 'reminded')
    return count === 1 ? `Still open: ${first.title}` : `${count} incidents are still open`
  if (count === 1) return first.title
  return isChange ? `${count} streams changed` : `${count} incidents: ${first.title}, and ${count - 1} more`
}

function lineOf(telling: Telling, incident: ToldIncident, now: number, isOne: boolean): string {
  const { title, detail } = incident
  if (telling === 'resolved') {
    const lasted = recoveryText(incident, now)
    return isOne ? lasted : `${recoveryTitle(incident)}. ${lasted}`
  }
  const since = telling === 'reminded' ? ` ${reminderText(incident, now)}` : ''
  return isOne ? `${detail}${since}` : `${title}. ${detail}${since}`
}

/** A stream or host that is up again is named alone; other incidents keep their title. */
function recoveryTitle({ cause, title, streamId, host, streams }: ToldIncident): string {
  if (cause !== 'flapping' && cause !== 'degraded' && !isOutage(cause)) return `Resolved: ${title}`
  const name = streamId === null ? (host ?? 'outbound network') : streams[0]?.name
  return `Recovered: ${name ?? title}`
}

function recoveryText(incident: ToldIncident, now: number): string {
  const lasted = periodOf(incident, now)
  const { since, until = now } = lasted
  return `${periodText(lasted)} (${period(since, until)} UTC).`
}

function reminderText(incident: ToldIncident, now: number): string {
  const lasted = periodOf(incident, now)
  return isOutage(incident.cause) ? `${periodText(lasted)}.` : `Open for ${span(lasted.durationMs)}.`
}

function period(from: number, to: number): string {
  const [start, end] = [utcMinute(new Date(from)), utcMinute(new Date(to))]
  const isOneDay = start.slice(0, 10) === end.slice(0, 10)
  return isOneDay ? `${start.slice(11)}–${end.slice(11)}` : `${start}–${end}`
}

function rank({ cause }: ToldIncident): number {
  return WORST_FIRST.indexOf(severityOf(cause))
}
