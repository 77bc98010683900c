import { Elysia } from 'elysia'
import { IncidentDetails, IncidentPage, type IncidentPageData } from '../../../views/incidents/incident.tsx'
import {
  IncidentItem,
  IncidentsList,
  IncidentsPage,
  type IncidentsPageData,
  type IncidentView,
} from '../../../views/incidents/incidents.tsx'
import { Problem } from '../../errors.ts'
import { severityOf } from '../../incidents/causes.ts'
import { periodOf, periodText } from '../../incidents/period.ts'
import {
  acknowledge,
  getIncident,
  type IncidentRow,
  incidentTimelineOf,
  listIncidents,
  openIncidents,
  stateOf,
  streamNames,
  type TimelineItem,
} from '../../incidents/read.ts'
import { readerOf } from '../access/reader.ts'
import { html } from '../http/html.ts'
import { query, readForm } from '../http/input.ts'
import { redirect } from '../http/redirect.ts'
import type { LivePages } from '../live/live-pages.tsx'
import type { LivePart } from '../live/live-views.tsx'
import type { IncidentRoutesDeps } from './incidents.ts'

const OPEN_SHOWN = 100
const PAST_SHOWN = 30
const CHILDREN_SHOWN = 50
/** The incident pages. */
export function incidentPages(deps: IncidentRoutesDeps & { pages: LivePages }) {
  const { db, now, pages } = deps
  return new Elysia({ detail: { hide: true } })
    .get('/incidents', async ({ request }) =>
      html(
        <IncidentsPage
          reader={readerOf(request)}
          {...(await incidentsData(query(request, 'after').after))}
        />,
      ),
    )
    .get('/incidents/live', ({ request, server }) => {
      const { after } = query(request, 'after')
      server?.timeout(request, 0)
      return pages.views.subscribe(request, { subjects: ['incidents'], read: () => incidentsParts(after) })
    })
    .get('/incidents/:id', async ({ params, request }) =>
      html(<IncidentPage reader={readerOf(request)} {...(await incidentData(params.id))} />),
    )
    .get('/incidents/:id/live', async ({ params, request, server }) => {
      const { id } = await getIncident(db, params.id)
      server?.timeout(request, 0)
      return pages.views.subscribe(request, {
        subjects: ['incidents', 'channels'],
        read: async () => {
          return [{ id: 'incident', html: String(<IncidentDetails {...(await incidentData(id))} />) }]
        },
      })
    })
    .post('/incidents/:id/acknowledge', async ({ params, request }) => {
      const { by = '', note = '' } = await readForm(request)
      if (by.trim() === '')
        throw new Problem('invalid_field', 'Enter your name: it shows who handles the incident.', 'by')
      await acknowledge(deps, params.id, { by: by.trim().slice(0, 100), note: note.slice(0, 1_000) }, now())
      return redirect(`/incidents/${params.id}`)
    })

  function viewed(incident: IncidentRow): IncidentView {
    return incidentView(incident, now())
  }

  async function incidentsData(after: string | undefined): Promise<IncidentsPageData> {
    const [open, acknowledged, past, count] = await Promise.all([
      listIncidents(db, { state: 'open', limit: OPEN_SHOWN }),
      listIncidents(db, { state: 'acknowledged', limit: OPEN_SHOWN }),
      listIncidents(db, { state: 'resolved', limit: PAST_SHOWN, after }),
      openIncidents(db),
    ])
    const shown = [...open.items, ...acknowledged.items].filter(({ parentId }) => parentId === null)
    return {
      open: shown.map(viewed),
      more: Math.max(0, count - shown.length),
      past: past.items.map(viewed),
      older: past.next && `/incidents?after=${past.next}`,
      live: `/incidents/live${after === undefined ? '' : `?${new URLSearchParams({ after })}`}`,
    }
  }

  async function incidentsParts(after: string | undefined): Promise<LivePart[]> {
    const data = await incidentsData(after)
    const rows = [...data.open, ...data.past].map(
      (incident) => [`incident-${incident.id}`, String(<IncidentItem {...incident} />)] as const,
    )
    return [{ id: 'incidents', html: String(<IncidentsList {...data} />), rows }]
  }

  async function incidentData(id: string): Promise<IncidentPageData> {
    const incident = await getIncident(db, id)
    const [timeline, children, names] = await Promise.all([
      incidentTimelineOf(db, incident),
      listIncidents(db, { parent: incident.id, limit: CHILDREN_SHOWN }),
      streamNames(db, [incident.streamId]),
    ])
    const parent =
      incident.parentId === null ? null : await getIncident(db, incident.parentId).catch(() => null)
    const name = incident.streamId === null ? undefined : names.get(incident.streamId)
    return {
      incident: viewed(incident),
      stream: name === undefined || incident.streamId === null ? null : { id: incident.streamId, name },
      host: incident.host,
      parent,
      children: children.items.map(viewed),
      moreChildren: children.next !== undefined,
      timeline: timeline.map(timelineRow),
    }
  }
}

/** An incident as a row of a list. */
export function incidentView(incident: IncidentRow, now: number): IncidentView {
  const { id, title, detail, cause, affected, openedAt, acknowledgedBy } = incident
  const state = stateOf(incident)
  const period = periodOf(incident, now)
  return {
    id,
    title,
    detail,
    severity: severityOf(cause),
    state,
    affected,
    openedAt,
    since: new Date(period.since),
    until: period.until === undefined ? undefined : new Date(period.until),
    lasted: periodText(period),
    acknowledgedBy,
  }
}

const EVENTS: Record<TimelineItem['kind'], string> = {
  opened: 'Opened',
  worsened: 'Worsened',
  told: 'Notified',
  reminded: 'Sent reminder to',
  acknowledged: 'Acknowledged',
  resolved: 'Resolved',
  over: 'Sent recovery to',
}

function timelineRow({ at, kind, note, channel, delivery }: TimelineItem) {
  return {
    at,
    text: kind === 'told' && channel === null ? 'No one was notified' : EVENTS[kind],
    note,
    channel: channel && { href: `/channels/${channel.id}`, name: channel.name ?? 'a deleted channel' },
    delivery: delivery && (delivery.status ?? 'no longer kept'),
  }
}
